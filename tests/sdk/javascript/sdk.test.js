// The official JavaScript client against a running gateway: MIROIR_URL and MIROIR_KEY say where.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Meilisearch } from "meilisearch";
import { generateTenantToken } from "meilisearch/token";

const host = process.env.MIROIR_URL;
const client = new Meilisearch({ host, apiKey: process.env.MIROIR_KEY });
const films = [
  { id: 1, title: "Star Wars", genre: "space", year: 1977 },
  { id: 2, title: "Star Trek", genre: "space", year: 1979 },
  { id: 3, title: "A Star is Born", genre: "music", year: 1976 },
];
const uids = ["js_films", "js_books"];

async function done(task) {
  const ended = await task.waitTask();
  assert.equal(ended.status, "succeeded", JSON.stringify(ended.error));
  return ended;
}

const refused = (error) => error.cause?.code === "invalid_api_key";

async function cleanUp() {
  for (const uid of uids) await client.deleteIndex(uid).waitTask();
  const { results } = await client.getKeys({ limit: 100 });
  for (const key of results) if (key.name?.startsWith("js ")) await client.deleteKey(key.uid);
}

before(async () => {
  await cleanUp();
  await done(client.createIndex("js_films", { primaryKey: "id" }));
  await done(client.index("js_films").updateSettings({ filterableAttributes: ["genre", "year"], sortableAttributes: ["year"] }));
  await done(client.index("js_films").addDocuments(films));
  await done(client.index("js_books").addDocuments([{ id: 1, title: "Star Maker" }]));
});
after(cleanUp);

test("documents are added, changed, read and deleted", async () => {
  const index = client.index("js_films");
  await done(index.updateDocuments([{ id: 3, seen: true }]));
  assert.deepEqual(await index.getDocument(3), { ...films[2], seen: true });
  await done(index.addDocuments([{ id: 4, title: "Gone" }]));
  const { results, total } = await index.getDocuments({ filter: "year > 1976", fields: ["id"] });
  assert.deepEqual([total, results.map((film) => film.id).sort()], [2, [1, 2]]);
  await done(index.deleteDocument(4));
  await done(index.updateDocuments([{ id: 3, seen: null }]));
  assert.equal((await index.getStats()).numberOfDocuments, 3);
});

test("searches filter, sort, count facets and highlight", async () => {
  const answer = await client.index("js_films").search("star", {
    filter: "genre = space", sort: ["year:desc"], facets: ["genre"], attributesToHighlight: ["title"],
  });
  assert.deepEqual(answer.hits.map((hit) => hit.id).sort(), [1, 2]);
  assert.deepEqual(answer.facetDistribution, { genre: { space: 2 } });
  assert.match(answer.hits[0]._formatted.title, /<em>Star<\/em>/);
  const page = await client.index("js_films").search("", { sort: ["year:asc"], page: 2, hitsPerPage: 2 });
  assert.deepEqual([page.totalPages, page.totalHits, page.hits[0].id], [2, 3, 2]);
});

test("several searches go in one request, with and without federation", async () => {
  const queries = uids.map((indexUid) => ({ indexUid, q: "star" }));
  const { results } = await client.multiSearch({ queries });
  assert.deepEqual(results.map((result) => result.hits.length), [3, 1]);
  const { hits } = await client.multiSearch({ federation: {}, queries });
  assert.equal(hits.length, 4);
});

test("settings are changed and reset", async () => {
  const index = client.index("js_films");
  await done(index.updateSynonyms({ sw: ["star wars"] }));
  assert.deepEqual(await index.getSynonyms(), { sw: ["star wars"] });
  await done(index.resetSynonyms());
  assert.deepEqual((await index.getSettings()).synonyms, {});
});

test("keys and tenant tokens open what they are for", async () => {
  const key = await client.createKey({ name: "js key", actions: ["search"], indexes: ["js_*"], expiresAt: null });
  assert.equal((await client.getKey(key.uid)).key, key.key);
  const scoped = new Meilisearch({ host, apiKey: key.key });
  assert.equal((await scoped.index("js_films").search("star")).hits.length, 3);
  await assert.rejects(scoped.getKeys(), refused);
  const token = await generateTenantToken({
    apiKey: key.key, apiKeyUid: key.uid, searchRules: { js_films: { filter: "genre = music" } },
  });
  const tenant = new Meilisearch({ host, apiKey: token });
  assert.deepEqual((await tenant.index("js_films").search("star")).hits.map((hit) => hit.id), [3]);
  await assert.rejects(tenant.index("js_books").search("star"), refused);
  await client.updateKey(key.uid, { name: "js renamed" });
  await client.deleteKey(key.uid);
  await assert.rejects(tenant.index("js_films").search("star"), refused);
});

test("tasks are listed, and a bad document fails one", async () => {
  const failed = await client.index("js_films").addDocuments([{ title: "no id" }]).waitTask();
  assert.deepEqual([failed.status, failed.error.code], ["failed", "missing_document_id"]);
  const { results } = await client.tasks.getTasks({ indexUids: ["js_films"], statuses: ["failed"], limit: 1 });
  assert.equal(results[0].uid, failed.uid);
  assert.ok((await client.batches.getBatches({ limit: 1 })).results.length === 1);
});

"""The official Python client against a running gateway: MIROIR_URL and MIROIR_KEY say where."""

import os
import unittest

import meilisearch
from meilisearch.errors import MeilisearchApiError

URL = os.environ["MIROIR_URL"]
FILMS = [
    {"id": 1, "title": "Star Wars", "genre": "space", "year": 1977},
    {"id": 2, "title": "Star Trek", "genre": "space", "year": 1979},
    {"id": 3, "title": "A Star is Born", "genre": "music", "year": 1976},
]
UIDS = ["py_films", "py_books"]


class Sdk(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = meilisearch.Client(URL, os.environ["MIROIR_KEY"])
        cls.clean_up()
        cls.done(cls.client.create_index("py_films", {"primaryKey": "id"}))
        films = cls.client.index("py_films")
        cls.done(films.update_settings({"filterableAttributes": ["genre", "year"], "sortableAttributes": ["year"]}))
        cls.done(films.add_documents(FILMS))
        cls.done(cls.client.index("py_books").add_documents([{"id": 1, "title": "Star Maker"}]))

    @classmethod
    def tearDownClass(cls):
        cls.clean_up()

    @classmethod
    def clean_up(cls):
        for uid in UIDS:
            cls.client.wait_for_task(cls.client.delete_index(uid).task_uid)
        for key in cls.client.get_keys({"limit": 100}).results:
            if (key.name or "").startswith("py "):
                cls.client.delete_key(key.uid)

    @classmethod
    def done(cls, info):
        task = cls.client.wait_for_task(info.task_uid)
        assert task.status == "succeeded", task.error
        return task

    def refused(self, call, code):
        with self.assertRaises(MeilisearchApiError) as refused:
            call()
        self.assertEqual(refused.exception.code, code)

    def test_documents_are_added_changed_read_and_deleted(self):
        films = self.client.index("py_films")
        self.done(films.add_documents([{"id": 4, "title": "Gone"}]))
        self.done(films.update_documents([{"id": 4, "seen": True}]))
        self.assertEqual(dict(films.get_document(4)), {"id": 4, "title": "Gone", "seen": True})
        self.done(films.delete_document(4))
        found = films.get_documents({"filter": "year > 1976", "fields": ["id"]})
        self.assertEqual((found.total, sorted(film.id for film in found.results)), (2, [1, 2]))
        self.assertEqual(films.get_stats().number_of_documents, 3)

    def test_searches_filter_sort_and_count_facets(self):
        films = self.client.index("py_films")
        answer = films.search("star", {"filter": "genre = space", "sort": ["year:desc"], "facets": ["genre"]})
        self.assertEqual(sorted(hit["id"] for hit in answer["hits"]), [1, 2])
        self.assertEqual(answer["facetDistribution"], {"genre": {"space": 2}})
        self.assertEqual(films.facet_search("genre", "mu")["facetHits"], [{"value": "music", "count": 1}])

    def test_several_searches_go_in_one_request(self):
        queries = [{"indexUid": uid, "q": "star"} for uid in UIDS]
        results = self.client.multi_search(queries)["results"]
        self.assertEqual([len(result["hits"]) for result in results], [3, 1])
        self.assertEqual(len(self.client.multi_search(queries, federation={})["hits"]), 4)

    def test_settings_are_changed_and_reset(self):
        films = self.client.index("py_films")
        self.done(films.update_stop_words(["of"]))
        self.assertEqual(films.get_stop_words(), ["of"])
        self.done(films.reset_stop_words())
        self.assertEqual(films.get_settings()["stopWords"], [])

    def test_keys_and_tenant_tokens_open_what_they_are_for(self):
        asked = {"name": "py key", "actions": ["search"], "indexes": ["py_*"], "expiresAt": None}
        key = self.client.create_key(asked)
        self.assertEqual(self.client.get_key(key.uid).key, key.key)
        scoped = meilisearch.Client(URL, key.key)
        self.assertEqual(len(scoped.index("py_films").search("star")["hits"]), 3)
        self.refused(scoped.get_keys, "invalid_api_key")
        rules = {"py_films": {"filter": "genre = music"}}
        token = self.client.generate_tenant_token(key.uid, rules, api_key=key.key)
        tenant = meilisearch.Client(URL, token)
        self.assertEqual([hit["id"] for hit in tenant.index("py_films").search("star")["hits"]], [3])
        self.refused(lambda: tenant.index("py_books").search("star"), "invalid_api_key")
        self.client.delete_key(key.uid)
        self.refused(lambda: tenant.index("py_films").search("star"), "invalid_api_key")

    def test_tasks_are_listed_and_a_bad_document_fails_one(self):
        info = self.client.index("py_films").add_documents([{"title": "no id"}])
        task = self.client.wait_for_task(info.task_uid)
        self.assertEqual((task.status, task.error["code"]), ("failed", "missing_document_id"))
        found = self.client.get_tasks({"indexUids": "py_films", "statuses": "failed", "limit": 1})
        self.assertEqual(found.results[0].uid, task.uid)


if __name__ == "__main__":
    unittest.main(verbosity=2)

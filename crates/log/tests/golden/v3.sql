PRAGMA user_version = 3;
PRAGMA application_id = 1835627116;
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    uid INTEGER PRIMARY KEY,
    index_uid TEXT,
    kind TEXT NOT NULL,
    operation TEXT NOT NULL,
    custom_metadata TEXT,
    enqueued_at INTEGER NOT NULL,
    status TEXT NOT NULL,
    prepared TEXT,
    batch_uid INTEGER,
    started_at INTEGER,
    finished_at INTEGER,
    canceled_by INTEGER,
    details TEXT,
    error TEXT
, target TEXT) STRICT;
CREATE INDEX entries_by_status ON entries (status);
CREATE INDEX entries_by_filters ON entries
    (index_uid, kind, status, batch_uid, canceled_by, enqueued_at, started_at, finished_at);
CREATE INDEX entries_unfinished ON entries (uid) WHERE finished_at IS NULL;
CREATE TABLE further_indexes (
    index_uid TEXT NOT NULL,
    uid INTEGER NOT NULL,
    PRIMARY KEY (index_uid, uid)
) STRICT, WITHOUT ROWID;
CREATE TABLE payloads (
    uid INTEGER PRIMARY KEY,
    file TEXT,
    bytes BLOB
) STRICT;
CREATE INDEX payload_files ON payloads (file) WHERE file IS NOT NULL;
CREATE TABLE watermarks (
    node TEXT PRIMARY KEY,
    uid INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE indexes (
    uid TEXT PRIMARY KEY,
    record TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE map (
    only INTEGER PRIMARY KEY CHECK (only = 0),
    epoch INTEGER NOT NULL,
    bytes BLOB NOT NULL
) STRICT;
CREATE TABLE records (
    kind TEXT NOT NULL,
    id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX entries_by_index ON entries (index_uid);
CREATE INDEX entries_by_batch ON entries (batch_uid) WHERE batch_uid IS NOT NULL;
CREATE TABLE idempotency (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    uid INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_uid ON idempotency (uid);
CREATE TABLE ended (
    place INTEGER PRIMARY KEY AUTOINCREMENT,
    uid INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES ('head', 4);
INSERT INTO meta VALUES ('id', '0123456789abcdef0123456789abcdef');
INSERT INTO meta VALUES ('next', 6);
INSERT INTO meta VALUES ('next_batch', 5);
INSERT INTO meta VALUES ('trimmed', 1);
INSERT INTO entries VALUES (0, 'movies', 'indexCreation', '{"kind":"indexCreation","primaryKey":"id"}', NULL, 1700000000123456789, 'succeeded', '{"decided":0}', 0, 1700000000123456789, 1700000001123456789, NULL, '{"primaryKey":"id"}', NULL, NULL);
INSERT INTO entries VALUES (1, 'movies', 'documentAdditionOrUpdate', '{"kind":"documentAdditionOrUpdate","method":"replace","primaryKey":null,"payload":{"bytes":40,"documents":1,"checksum":1174909370921715106,"content":{"inline":{}}},"allowIndexCreation":true,"skipCreation":false}', NULL, 1700000000123456789, 'succeeded', '{"decided":1}', 1, 1700000000123456789, 1700000001123456789, NULL, '{"receivedDocuments":1,"indexedDocuments":1}', NULL, NULL);
INSERT INTO entries VALUES (2, 'movies', 'documentAdditionOrUpdate', '{"kind":"documentAdditionOrUpdate","method":"replace","primaryKey":null,"payload":{"bytes":5,"documents":2,"content":{"file":{"name":"golden.payload"}}},"allowIndexCreation":true,"skipCreation":false}', NULL, 1700000000123456789, 'processing', '{"decided":2}', 2, 1700000000123456789, NULL, NULL, '{"receivedDocuments":2,"indexedDocuments":null}', NULL, NULL);
INSERT INTO entries VALUES (3, 'books', 'documentDeletion', '{"kind":"documentDeletion","selection":{"byIds":{"ids":["1","b"]}}}', NULL, 1700000000123456789, 'failed', '{"decided":3}', 3, NULL, 1700000001123456789, NULL, '{"providedIds":2,"deletedDocuments":null,"originalFilter":null}', '{"message":"Index `books` not found.","code":"index_not_found","type":"invalid_request","link":"https://docs.meilisearch.com/errors#index_not_found"}', NULL);
INSERT INTO entries VALUES (4, 'movies', 'settingsUpdate', '{"kind":"settingsUpdate","settings":{"stopWords":["the"]},"isDeletion":false,"allowIndexCreation":true}', 'tag', 1700000000123456789, 'enqueued', NULL, NULL, NULL, NULL, NULL, '{"stopWords":["the"]}', NULL, NULL);
INSERT INTO entries VALUES (5, 'movies', 'indexUpdate', '{"kind":"indexUpdate","primaryKey":null,"newUid":"films"}', NULL, 1700000000123456789, 'canceled', NULL, 4, NULL, 1700000001123456789, 9, '{"primaryKey":null,"oldIndexUid":"movies","newIndexUid":"films"}', NULL, NULL);
INSERT INTO further_indexes VALUES ('films', 5);
INSERT INTO payloads VALUES (1, NULL, X'7B226964223A317D0A7B226964223A317D0A7B226964223A317D0A7B226964223A317D0A7B226964');
INSERT INTO payloads VALUES (2, 'golden.payload', NULL);
INSERT INTO watermarks VALUES ('node-0', 2);
INSERT INTO indexes VALUES ('movies', '{"uid":"movies","primaryKey":"id","createdAt":"1970-01-01T00:00:00Z","updatedAt":"1970-01-01T00:00:00Z","settings":{"stopWords":["the"]}}');
INSERT INTO map VALUES (0, 3, X'006D6170');
INSERT INTO records VALUES ('key', 'k', '{"name":"mine"}');

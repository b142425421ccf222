-- A report of Nsight Systems with all that is looked at, in few rows. Made into small.sqlite by:
--   rm -f small.sqlite; sqlite3 small.sqlite < small.sql
-- Pages as small as they can be, so that a small file has trees of pages and rows that do not fit into one.
PRAGMA page_size = 512;
CREATE TABLE StringIds (
    -- Consolidation of repetitive string values.
    id                          INTEGER   NOT NULL   PRIMARY KEY,      -- ID reference value.
    value                       TEXT      NOT NULL                     -- String value.
);
CREATE TABLE NVTX_EVENTS (start INTEGER NOT NULL, end INTEGER, eventType INTEGER NOT NULL, rangeId INTEGER, text TEXT, globalTid INTEGER, textId INTEGER, domainId INTEGER, jsonText TEXT);
CREATE TABLE CUPTI_ACTIVITY_KIND_RUNTIME (start INTEGER NOT NULL, end INTEGER NOT NULL, globalTid INTEGER, correlationId INTEGER, nameId INTEGER NOT NULL);
CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER NOT NULL, end INTEGER NOT NULL, deviceId INTEGER NOT NULL, streamId INTEGER NOT NULL, correlationId INTEGER, globalPid INTEGER, shortName INTEGER NOT NULL, graphNodeId INTEGER);
CREATE TABLE CUPTI_ACTIVITY_KIND_MEMCPY (start INTEGER NOT NULL, end INTEGER NOT NULL, deviceId INTEGER, streamId INTEGER, correlationId INTEGER, bytes INTEGER NOT NULL, copyKind INTEGER NOT NULL);
CREATE TABLE CUDA_GRAPH_EVENTS (start INTEGER NOT NULL, end INTEGER, eventClass INTEGER, globalTid INTEGER, nameId INTEGER, graphNodeId INTEGER NOT NULL, originalGraphNodeId INTEGER);
CREATE TABLE META_DATA_EXPORT (name TEXT, value TEXT);
CREATE TABLE NUMBERS (n INTEGER, x REAL, t TEXT, b BLOB, UNIQUE (n, t), CHECK (n < 1));
INSERT INTO META_DATA_EXPORT VALUES ('EXPORT_SCHEMA_VERSION', '3.20.2'), ('EXPORT_PRODUCT_VERSION', '2025.3.1.90');
INSERT INTO StringIds VALUES (1, 'cuLaunchKernel'), (2, 'gemm'), (3, 'relu'), (4, '/fc1/Gemm'), (5, 'request'), (6, 'cuGraphLaunch');
WITH RECURSIVE c(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM c WHERE i < 399) INSERT INTO StringIds SELECT i, 'text ' || i FROM c;
-- Thread 7 of process 3; ranges of three domains, a layer that is no name of its own, and an end that never came.
INSERT INTO NVTX_EVENTS VALUES
  (-50, NULL, 75, NULL, 'TensorRT', 50331655, NULL, 1, NULL),
  (-40, NULL, 75, NULL, 'trt-perf', 50331655, NULL, 2, NULL),
  (-30, NULL, 75, NULL, 'elsewhere', 50331655, NULL, 3, NULL),
  (2000, 3000, 60, 2, NULL, 50331655, 5, 2, NULL),
  (1000, 1900, 60, 1, NULL, 50331655, 5, 2, NULL),
  (1010, 1800, 59, NULL, 'ExecutionContext::enqueueV3', 50331655, NULL, 1, NULL),
  (1100, 1300, 59, NULL, NULL, 50331655, 4, 1, hex(zeroblob(2000))),
  (1110, 1200, 59, NULL, 'not a layer', 50331655, NULL, 3, NULL),
  (1400, 1700, 59, NULL, '/relu/Relu', 50331655, NULL, 1, NULL),
  (2010, 2900, 59, NULL, 'ExecutionContext::enqueueV3', 50331655, NULL, 1, NULL),
  (2100, 2300, 59, NULL, NULL, 50331655, 4, 1, NULL),
  (2950, NULL, 59, NULL, 'open', 50331655, NULL, 1, NULL);
-- Out of order. The last one is of another process, with a number that is taken here.
INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES
  (2150, 2160, 50331655, 13, 1), (1150, 1160, 50331655, 11, 1), (1450, 1460, 50331655, 12, 1),
  (1750, 1760, 50331655, 14, 1), (1450, 1460, 67108871, 11, 1);
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES
  (2200, 2500, 0, 5, 13, 50331648, 2, NULL), (1200, 1300, 0, 5, 11, 50331648, 2, NULL),
  (1500, 1550, 0, 5, 12, 50331648, 3, NULL), (1760, 1770, 0, 6, 14, 50331648, 3, NULL);
-- A graph was captured in the layer, made executable, and launched later: a node of its own that names the captured one.
INSERT INTO CUDA_GRAPH_EVENTS VALUES
  (1120, 1120, 77, 50331655, 1, 800, NULL), (1850, 1850, 77, 50331655, 1, 900, NULL), (1860, 1860, 77, 50331655, 1, 900, 800);
INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME VALUES (3000, 3010, 50331655, 16, 6);
INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (3100, 3200, 0, 5, 16, 50331648, 2, 900);
INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY VALUES (1020, 1040, 0, 5, 10, 4096, 1), (2600, 2640, 0, 5, 15, 400, 2);
INSERT INTO NUMBERS VALUES (-1, 0.5, 'ä', x'00'), (-128, -2.25, '', NULL), (-32768, 1e300, 'x', NULL), (-8388608, 0.0, 'x', NULL),
  (-2147483648, 1.0, 'x', NULL), (-140737488355328, 1.0, 'x', NULL), (-9223372036854775808, 1.0, 'x', NULL), (0, 3.0, 'x', NULL), (NULL, NULL, NULL, NULL);

-- Whose turn a work is that one receiver at a time does.
CREATE TABLE lease (
    work     text COLLATE "C" PRIMARY KEY,
    holder   text NOT NULL,
    until_at timestamptz NOT NULL
);

-- Why a clip is being removed: nobody sees its row any more, which goes after its bytes.
ALTER TABLE media ADD COLUMN removing text;
CREATE INDEX media_by_arrival ON media (received_at, id) INCLUDE (size_bytes) WHERE NOT pinned AND removing IS NULL;
CREATE INDEX media_pinned ON media (id) INCLUDE (size_bytes) WHERE pinned AND removing IS NULL;
CREATE INDEX media_removing ON media (id) WHERE removing IS NOT NULL;

-- What is kept of a row that was removed: the answer to its key.
CREATE TABLE receipt (
    idempotency_key text COLLATE "C" NOT NULL,
    kind            text COLLATE "C" NOT NULL, -- evenement, media
    key_owner       text COLLATE "C" NOT NULL,
    device_id       text COLLATE "C" NOT NULL,
    id              bigint NOT NULL,
    date            json,
    capteur_id      json,
    size_bytes      bigint,
    removed_at      bigint NOT NULL DEFAULT extract(epoch FROM now())::bigint, -- seconds since 1970
    PRIMARY KEY (idempotency_key, kind, key_owner)
);
CREATE INDEX receipt_by_age ON receipt (removed_at);

-- What was removed, why, and of which time: a line for each day, device, kind and reason.
CREATE TABLE removal (
    day       date NOT NULL, -- UTC
    device_id text COLLATE "C" NOT NULL,
    kind      text COLLATE "C" NOT NULL,
    reason    text COLLATE "C" NOT NULL, -- age, space
    rows      bigint NOT NULL,
    bytes     bigint NOT NULL,
    oldest    timestamptz NOT NULL, -- when the first and the last of them had come
    newest    timestamptz NOT NULL,
    PRIMARY KEY (day, device_id, kind, reason)
);

-- What can't be removed, for as long as that lasts.
CREATE TABLE removal_trouble (
    one      integer PRIMARY KEY DEFAULT 1 CHECK (one = 1),
    reason   text NOT NULL,
    since_at bigint NOT NULL,
    last_at  bigint NOT NULL
);

-- What signs a webhook's requests, encrypted. The server moves what `secret` holds as it starts: it has the key.
ALTER TABLE webhooks ADD COLUMN sealed_secret TEXT COLLATE "C";

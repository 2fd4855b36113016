-- What is new of one device, without reading what is new of all others.
CREATE INDEX media_by_device_id ON media (device_id, id, removing);

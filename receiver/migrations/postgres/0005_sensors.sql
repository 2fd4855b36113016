-- An index for each set of filters: what is rare in a list is found without reading the others of its device, sensor or camera.
-- Where there are several, by a hash of all: shorter, and names of any length fit into an entry. Whoever reads by it compares
-- the columns too.
-- Made while older receivers go on storing rows; what a start before left half-made is made again.
DROP INDEX CONCURRENTLY IF EXISTS evenement_by_device_sensor;
CREATE INDEX CONCURRENTLY evenement_by_device_sensor ON evenement (hashtextextended(device_id || sensor, 0), moment, id);
DROP INDEX CONCURRENTLY IF EXISTS media_by_camera;
CREATE INDEX CONCURRENTLY media_by_camera ON media (camera, moment, id);
DROP INDEX CONCURRENTLY IF EXISTS media_by_device_sensor;
CREATE INDEX CONCURRENTLY media_by_device_sensor ON media (hashtextextended(device_id || sensor, 0), moment, id);
DROP INDEX CONCURRENTLY IF EXISTS media_by_device_camera;
CREATE INDEX CONCURRENTLY media_by_device_camera ON media (hashtextextended(device_id || camera, 0), moment, id);
DROP INDEX CONCURRENTLY IF EXISTS media_by_sensor_camera;
CREATE INDEX CONCURRENTLY media_by_sensor_camera ON media (hashtextextended(sensor || camera, 0), moment, id);
DROP INDEX CONCURRENTLY IF EXISTS media_by_device_sensor_camera;
CREATE INDEX CONCURRENTLY media_by_device_sensor_camera ON media (hashtextextended(device_id || sensor || camera, 0), moment, id);

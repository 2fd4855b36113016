-- An index for each set of filters: what is rare in a list is found without reading the others of its device, sensor or camera.
CREATE INDEX evenement_by_device_sensor ON evenement (device_id, sensor, moment);
CREATE INDEX media_by_camera ON media (camera, moment);
CREATE INDEX media_by_device_sensor ON media (device_id, sensor, moment);
CREATE INDEX media_by_device_camera ON media (device_id, camera, moment);
CREATE INDEX media_by_sensor_camera ON media (sensor, camera, moment);
CREATE INDEX media_by_device_sensor_camera ON media (device_id, sensor, camera, moment);

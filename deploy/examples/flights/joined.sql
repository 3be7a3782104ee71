-- One row a flight: what is known when its departure is planned, the weather at its origin in that hour, and its plane.
-- Left out because only the flight itself tells them: dep_time, dep_delay, arr_time, air_time; arr_delay is the target alone.
SELECT
  f.carrier,
  f.flight,
  f.origin,
  f.dest,
  -- The local clock, because delays follow the local day; time_hour is in UTC.
  to_timestamp_micros(
    1000000 * (CAST(date_part('epoch', make_date(f.year, f.month, f.day)) AS BIGINT) + 3600 * f.hour + 60 * f.minute)
  ) AS scheduled,
  f.distance,
  w.temp,
  w.dewp,
  w.humid,
  w.wind_speed,
  w.precip,
  w.pressure,
  w.visib,
  p.year AS plane_year,
  p.seats,
  f.arr_delay >= 30 AS late
FROM flights AS f
LEFT JOIN weather AS w ON f.origin = w.origin AND f.time_hour = w.time_hour
LEFT JOIN planes AS p ON f.tailnum = p.tailnum
WHERE f.arr_delay IS NOT NULL

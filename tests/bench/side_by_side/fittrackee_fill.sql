-- :n workouts over ten years, as its own API would store them: 70 % runs, 20 % rides, 10 % walks.
BEGIN;
SELECT setseed(0.42);
INSERT INTO workouts (uuid, user_id, sport_id, title, creation_date, workout_date, duration, pauses, moving, distance, min_alt, max_alt,
                      descent, ascent, max_speed, ave_speed, ave_pace, best_pace, bounds, max_hr, ave_hr, max_cadence, ave_cadence, source, calories)
SELECT gen_random_uuid(), (SELECT id FROM users WHERE username = 'probe'), sport, 'Workout ' || i, d, d, mv + interval '20 s',
       interval '20 s', mv, dist, 30, 80, up, up, speed * 1.3, speed,
       CASE WHEN sport <> 1 THEN make_interval(secs => round(3600 / speed)) END,
       CASE WHEN sport <> 1 THEN make_interval(secs => round(3600 / (speed * 1.3))) END,
       ARRAY[48.8, 2.3, 48.9, 2.4], 172, 151, 176, 166, 'Probe', (dist * 65)::int
FROM (SELECT i, sport, dist, speed, up, d, make_interval(secs => round(dist / speed * 3600)) mv
      FROM (SELECT i,
                   CASE WHEN r < .7 THEN 5 WHEN r < .9 THEN 1 ELSE 6 END sport,
                   (CASE WHEN r < .7 THEN 4 + 16 * random() WHEN r < .9 THEN 15 + 60 * random() ELSE 2 + 6 * random() END)::numeric(6, 3) dist,
                   (CASE WHEN r < .7 THEN 9 + 4 * random() WHEN r < .9 THEN 20 + 8 * random() ELSE 4 + 2 * random() END)::numeric(6, 2) speed,
                   (20 + 200 * random())::numeric(8, 3) up,
                   date_trunc('second', timestamp '2025-12-31 20:00' - random() * 3650 * interval '1 day') d
            FROM (SELECT i, random() r FROM generate_series(1, :n) i) a) b) c;
COMMIT;
VACUUM ANALYZE;

-- name: add -> count
INSERT INTO events (at, kind, actor_id, subject_kind, subject_id, request_id, detail)
VALUES (UTC_TIMESTAMP(6), :kind, :actor_id, :subject_kind, :subject_id, :request_id, :detail);

-- part: row
SELECT e.id, e.at, e.kind, e.actor_id, a.username AS actor, e.subject_kind, e.subject_id, u.username, o.number AS order_number, p.title AS product_title,
       e.request_id, e.detail

-- part: named
  LEFT JOIN users a ON a.id = e.actor_id
  LEFT JOIN users u ON e.subject_kind = 'user' AND u.id = e.subject_id
  LEFT JOIN orders o ON e.subject_kind = 'order' AND o.id = e.subject_id
  LEFT JOIN products p ON e.subject_kind = 'product' AND p.id = e.subject_id

-- part: wanted
 WHERE e.id BETWEEN :first AND :last
   AND (:kind IS NULL OR e.kind = :kind)
   AND (:actor_id IS NULL OR e.actor_id = :actor_id)
   AND (:subject IS NULL OR e.subject_kind = :subject)
   AND (:subject_id IS NULL OR e.subject_id = :subject_id)
   AND (:request_id IS NULL OR e.request_id = :request_id)

-- name: list_all -> rows
-- The page is cut first; only its rows are then dressed.
-- sort newest: e.id DESC AFTER e.id < :after_id
-- sort oldest: e.id AFTER e.id > :after_id
{row}
  FROM (SELECT e.id
          FROM events e
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN events e ON e.id = page.id
{named}
 ORDER BY {sort};

-- name: count_all -> value
SELECT COUNT(*) FROM (SELECT 1 FROM events e {wanted} LIMIT :most) found;

-- name: get -> row
{row}
  FROM events e
{named}
 WHERE e.id = :event_id;

-- name: get_first_since -> value
SELECT id FROM events WHERE at >= :since ORDER BY at, id LIMIT 1;

-- name: get_last_until -> value
SELECT id FROM events WHERE at < :until ORDER BY at DESC, id DESC LIMIT 1;

-- name: find_user -> value
SELECT id FROM users WHERE username_key = :username_key;

-- name: find_order -> value
SELECT id FROM orders WHERE number = :number;

-- name: get_setting_change -> row
SELECT value_before, value_after FROM setting_changes WHERE section = :section AND version = :version;

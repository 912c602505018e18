-- name: list_claimable -> rows
SELECT o.number, o.placed_at, o.total_minor, o.currency,
       (SELECT CAST(COALESCE(SUM(i.quantity), 0) AS SIGNED) FROM order_items i WHERE i.order_id = o.id) AS count
  FROM users u
  JOIN orders o ON o.email_key = u.email_key AND o.user_id IS NULL
 WHERE u.id = :user_id
 ORDER BY o.id DESC
 LIMIT :limit;

-- name: lock_address -> value
SELECT email_key FROM users WHERE id = :user_id FOR UPDATE;

-- name: lock_claimable -> rows
SELECT id FROM orders WHERE email_key = :email_key AND user_id IS NULL ORDER BY id DESC LIMIT :limit FOR UPDATE;

-- name: claim -> count
UPDATE orders SET user_id = :user_id WHERE id IN (:order_ids);

-- name: add_events -> count
INSERT INTO order_events (order_id, kind, actor_id, at)
SELECT id, 'claimed', :user_id, UTC_TIMESTAMP(6) FROM orders WHERE id IN (:order_ids);

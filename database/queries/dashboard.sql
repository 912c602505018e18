-- name: get_today -> value
SELECT UTC_DATE();

-- name: get_settled -> value
SELECT MAX(event_id) FROM daily_sales;

-- name: has_steps -> value
SELECT 1 FROM order_events WHERE id > :event_id ORDER BY id LIMIT 1;

-- name: list_steps -> rows
-- A number may be given before a lower one is committed; after a minute none is missing.
SELECT e.id, DATE(o.placed_at) AS day, e.at < UTC_TIMESTAMP(6) - INTERVAL 1 MINUTE AS settled
  FROM order_events e
  JOIN orders o ON o.id = e.order_id
 WHERE e.id > :event_id
 ORDER BY e.id
 LIMIT :most;

-- name: reckon -> count
INSERT INTO daily_sales (day, orders, sales_minor, event_id)
SELECT :day, COUNT(*), COALESCE(SUM(o.total_minor), 0), :event_id
  FROM orders o
 WHERE o.placed_at >= :day AND o.placed_at < :before AND o.status IN ('placed', 'completed')
    ON DUPLICATE KEY UPDATE orders = VALUES(orders), sales_minor = VALUES(sales_minor), event_id = VALUES(event_id);

-- name: get_carts_counted -> value
SELECT day FROM daily_sales WHERE carts_left IS NOT NULL ORDER BY day DESC LIMIT 1;

-- name: count_carts -> count
INSERT INTO daily_sales (day, carts_left)
SELECT :day, COUNT(*)
  FROM carts c
 WHERE c.updated_at >= :day AND c.updated_at < :before AND EXISTS (SELECT 1 FROM cart_items i WHERE i.cart_id = c.id)
    ON DUPLICATE KEY UPDATE carts_left = VALUES(carts_left);

-- name: list_days -> rows
SELECT day, orders, sales_minor, carts_left FROM daily_sales WHERE day >= :since AND day < :before ORDER BY day LIMIT 1000;

-- name: get_day -> row
-- The day that is not over, as it stands.
SELECT COUNT(*) AS orders, CAST(COALESCE(SUM(o.total_minor), 0) AS SIGNED) AS sales_minor,
       (SELECT COUNT(*)
          FROM carts c
         WHERE c.updated_at >= :day AND EXISTS (SELECT 1 FROM cart_items i WHERE i.cart_id = c.id)) AS carts_left
  FROM orders o
 WHERE o.placed_at >= :day AND o.status IN ('placed', 'completed');

-- name: count_waiting -> row
-- What waits for somebody: each is counted as the table counts it that its figure leads to, and no further than `most`.
SELECT (SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE status = 'placed' AND fulfilment_status = 'unfulfilled' LIMIT :most) a) AS to_send,
       (SELECT COUNT(*) FROM (SELECT 1 FROM orders WHERE status = 'pending' LIMIT :most) b) AS unpaid,
       (SELECT COUNT(*) FROM (SELECT DISTINCT order_id FROM returns WHERE status = 'requested' LIMIT :most) c) AS returns_asked,
       (SELECT COUNT(*) FROM (SELECT 1 FROM tickets WHERE status = 'open' LIMIT :most) d) AS tickets,
       (SELECT COUNT(*) FROM (SELECT 1 FROM reviews WHERE status = 'pending' LIMIT :most) e) AS reviews,
       (SELECT COUNT(*) FROM (SELECT 1 FROM payments WHERE status = 'pending' LIMIT :most) f) AS payments_pending,
       (SELECT COUNT(*)
          FROM (SELECT id FROM payments WHERE status = 'unwanted'
                 UNION
                SELECT payment_id FROM refunds WHERE status = 'failed' AND payment_id IS NOT NULL
                 LIMIT :most) g) AS payments_troubled,
       (SELECT COUNT(*) FROM (SELECT 1 FROM mails WHERE status = 'failed' LIMIT :most) h) AS mails_failed,
       (SELECT COUNT(*) FROM jobs WHERE failures > 0) AS jobs_failing,
       (SELECT COUNT(*)
          FROM (SELECT 1
                  FROM variants v
                  JOIN products p ON p.id = v.product_id
                 WHERE v.archived_at IS NULL AND p.archived_at IS NULL AND v.tracked = TRUE AND v.stock <= :low_stock
                 LIMIT :most) i) AS low_stock;

-- name: list_best -> rows
SELECT p.id, p.title, p.sold_count,
       (SELECT CAST(SUM(v.stock) AS SIGNED) FROM variants v WHERE v.product_id = p.id AND v.archived_at IS NULL AND v.tracked) AS stock
  FROM products p
 WHERE p.archived_at IS NULL AND p.sold_count > 0
 ORDER BY p.sold_count DESC, p.id DESC
 LIMIT :most;

-- name: list_low -> rows
SELECT p.id, p.title, v.option1, v.option2, v.option3, v.stock
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.archived_at IS NULL AND p.archived_at IS NULL AND v.tracked = TRUE AND v.stock <= :low_stock
 ORDER BY v.stock, v.id
 LIMIT :most;

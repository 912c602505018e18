-- name: take -> count_and_id
-- Compare and set, each variant's row in ascending order of id, so that two orders never wait for each other crosswise.
-- The count of rows is compared with the number of lines. The id is 0 unless something has sold out: to learn that costs no statement.
-- By PRIMARY alone: in an index on stock, a row moves while this waits for it, and is then not found where it was looked for.
UPDATE JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) wanted
STRAIGHT_JOIN variants v FORCE INDEX (PRIMARY) ON v.id = wanted.variant_id
   SET v.stock = v.stock - wanted.quantity - IF(v.stock = wanted.quantity, 0 * LAST_INSERT_ID(v.id), 0)
 WHERE v.tracked AND v.archived_at IS NULL AND v.stock >= wanted.quantity;

-- name: list_now -> rows
SELECT v.id AS variant_id, v.stock, v.tracked, p.listed AND v.archived_at IS NULL AS buyable
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.id IN (:variant_ids)
 LIMIT 100;

-- name: put_back -> count
-- What an order took, it took by movements, so their sum is what goes back: nothing for untracked variants.
UPDATE (SELECT variant_id, CAST(-SUM(quantity) AS SIGNED) AS quantity
          FROM stock_movements
         WHERE order_id = :order_id
         GROUP BY variant_id
         ORDER BY variant_id) taken
STRAIGHT_JOIN variants v FORCE INDEX (PRIMARY) ON v.id = taken.variant_id
   SET v.stock = v.stock + taken.quantity
 WHERE taken.quantity > 0;

-- name: note_returned -> count
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
SELECT variant_id, CAST(-SUM(quantity) AS SIGNED), :reason, order_id, :actor_id, UTC_TIMESTAMP(6)
  FROM stock_movements
 WHERE order_id = :order_id
 GROUP BY variant_id, order_id
HAVING SUM(quantity) < 0;

-- name: note_taken -> count
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
SELECT taken.variant_id, -taken.quantity, 'order', :order_id, :actor_id, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) taken;

-- name: note_all -> count
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
SELECT moved.variant_id, moved.quantity, :reason, NULL, :actor_id, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:moves, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) moved;

-- name: restock -> count
-- In ascending order of id, as take does.
UPDATE JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) back
STRAIGHT_JOIN variants v FORCE INDEX (PRIMARY) ON v.id = back.variant_id
   SET v.stock = v.stock + back.quantity
 WHERE v.tracked;

-- name: note_restocked -> count
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
SELECT v.id, back.quantity, 'returned', :order_id, :actor_id, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) back
  JOIN variants v ON v.id = back.variant_id AND v.tracked;

-- name: lock -> row
SELECT product_id, stock, tracked FROM variants WHERE id = :variant_id AND archived_at IS NULL FOR UPDATE;

-- name: put -> count
UPDATE variants SET stock = :stock WHERE id = :variant_id;

-- name: note -> id
INSERT INTO stock_movements (variant_id, quantity, reason, note, order_id, actor_id, at)
VALUES (:variant_id, :quantity, :reason, :note, NULL, :actor_id, UTC_TIMESTAMP(6));

-- part: counted
 WHERE v.archived_at IS NULL AND p.archived_at IS NULL
   AND (NOT :low OR v.tracked = TRUE AND v.stock <= :low_stock)
   AND (:anywhere IS NULL OR p.title LIKE :anywhere ESCAPE '!' OR v.sku LIKE :prefix ESCAPE '!' OR v.barcode LIKE :prefix ESCAPE '!')

-- name: list_variants -> rows
-- The page is cut first; only its rows are then dressed.
-- sort newest: v.id DESC AFTER (v.id < :after_id AND :after IS NOT NULL)
-- sort stock: v.stock, v.id AFTER (v.stock > :after OR v.stock = :after AND v.id > :after_id)
SELECT v.id AS variant_id, v.product_id, p.title, v.sku, v.stock, v.tracked, v.option1, v.option2, v.option3,
       p.option1 AS option1_name, p.option2 AS option2_name, p.option3 AS option3_name,
       i.path AS image_path, i.alt AS image_alt, i.width AS image_width, i.height AS image_height, i.widths AS image_widths
  FROM (SELECT v.id
          FROM variants v
          JOIN products p ON p.id = v.product_id
        {counted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN variants v ON v.id = page.id
  JOIN products p ON p.id = v.product_id
  LEFT JOIN images i ON i.id = COALESCE(v.image_id, (SELECT f.id FROM images f WHERE f.product_id = p.id ORDER BY f.position, f.id LIMIT 1))
 ORDER BY {sort};

-- name: count_variants -> value
SELECT COUNT(*)
  FROM variants v
  JOIN products p ON p.id = v.product_id
{counted};

-- name: product_of -> value
SELECT product_id FROM variants WHERE id = :variant_id;

-- name: list_movements -> rows
SELECT m.id, m.at, m.quantity, m.reason, m.note, o.number AS order_number, u.username AS actor, v.stock
  FROM stock_movements m
  JOIN variants v ON v.id = m.variant_id
  LEFT JOIN orders o ON o.id = m.order_id
  LEFT JOIN users u ON u.id = m.actor_id
 WHERE m.variant_id = :variant_id AND (:after_id IS NULL OR m.id < :after_id)
 ORDER BY m.id DESC
 LIMIT :limit;

-- name: is_shown -> value
SELECT 1 FROM variants v JOIN products p ON p.id = v.product_id WHERE v.id = :variant_id AND v.archived_at IS NULL AND p.listed;

-- name: count_requests -> value
SELECT COUNT(*) FROM stock_requests WHERE email_key = :email_key;

-- name: add_request -> count
INSERT INTO stock_requests (variant_id, user_id, email, email_key, created_at)
VALUES (:variant_id, :user_id, :email, :email_key, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE email_key = :email_key;

-- name: list_due_requests -> rows
-- First come, first told.
SELECT r.id, r.email, r.user_id, p.title, p.slug, v.option1, v.option2, v.option3
  FROM stock_requests r
  JOIN variants v ON v.id = r.variant_id
  JOIN products p ON p.id = v.product_id
 WHERE v.archived_at IS NULL AND p.listed AND (v.stock > 0 OR NOT v.tracked)
 ORDER BY r.id
 LIMIT :most;

-- name: delete_request -> count
DELETE FROM stock_requests WHERE id = :request_id;

-- name: forget_requests -> count
DELETE FROM stock_requests WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY created_at LIMIT 1000;

-- name: take -> count_and_id
-- Compare and set, each variant's row in ascending order of id, so that two orders never wait for each other crosswise.
-- The count of rows is compared with the number of lines. The id is 0 unless something has sold out: to learn that costs no statement.
UPDATE JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) wanted
STRAIGHT_JOIN variants v ON v.id = wanted.variant_id
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
STRAIGHT_JOIN variants v ON v.id = taken.variant_id
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
SELECT v.id, -i.quantity, 'order', i.order_id, :actor_id, UTC_TIMESTAMP(6)
  FROM order_items i
  JOIN variants v ON v.id = i.variant_id
 WHERE i.order_id = :order_id AND v.tracked;

-- name: note_all -> count
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
SELECT moved.variant_id, moved.quantity, :reason, NULL, :actor_id, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:moves, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) moved;

-- name: adjust -> count
UPDATE variants SET stock = stock + :quantity WHERE id = :variant_id AND stock + :quantity >= 0;

-- name: note_adjusted -> id
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
VALUES (:variant_id, :quantity, 'adjusted', NULL, :actor_id, UTC_TIMESTAMP(6));

-- name: restock -> count
-- In ascending order of id, as take does.
UPDATE JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) back
STRAIGHT_JOIN variants v ON v.id = back.variant_id
   SET v.stock = v.stock + back.quantity
 WHERE v.tracked;

-- name: note_restocked -> count
INSERT INTO stock_movements (variant_id, quantity, reason, order_id, actor_id, at)
SELECT v.id, back.quantity, 'returned', :order_id, :actor_id, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:lines, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$.variant_id', quantity INT PATH '$.quantity')) back
  JOIN variants v ON v.id = back.variant_id AND v.tracked;

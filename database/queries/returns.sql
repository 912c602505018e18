-- name: add -> id
INSERT INTO returns (order_id, note, created_at) VALUES (:order_id, :note, UTC_TIMESTAMP(6));

-- name: add_items -> count
INSERT INTO return_items (return_id, order_item_id, quantity, reason)
SELECT :return_id, i.item_id, i.quantity, i.reason
  FROM JSON_TABLE(:items, '$[*]' COLUMNS (item_id BIGINT UNSIGNED PATH '$.item_id',
                                          quantity INT PATH '$.quantity',
                                          reason VARCHAR(32) PATH '$.reason')) i;

-- name: list_of -> rows
SELECT r.order_id, r.id, r.status, r.note, r.answer, r.created_at, r.decided_at, r.received_at,
       (SELECT JSON_ARRAYAGG(JSON_OBJECT('item_id', i.order_item_id, 'quantity', i.quantity, 'reason', i.reason, 'restocked', i.restocked))
          FROM return_items i
         WHERE i.return_id = r.id) AS items
  FROM returns r
 WHERE r.order_id IN (:order_ids)
 ORDER BY r.order_id, r.id
 LIMIT 10000;

-- name: get_number -> value
SELECT o.number FROM returns r JOIN orders o ON o.id = r.order_id WHERE r.id = :return_id;

-- name: get_status -> value
SELECT status FROM returns WHERE id = :return_id AND order_id = :order_id;

-- name: list_items -> rows
SELECT i.order_item_id AS item_id, i.quantity, o.variant_id
  FROM return_items i
  JOIN order_items o ON o.id = i.order_item_id
 WHERE i.return_id = :return_id
 ORDER BY i.order_item_id
 LIMIT 100;

-- name: decide -> count
UPDATE returns SET status = :status, answer = :answer, decided_at = UTC_TIMESTAMP(6) WHERE id = :return_id AND status = 'requested';

-- name: receive -> count
UPDATE returns SET status = 'received', received_at = UTC_TIMESTAMP(6) WHERE id = :return_id AND status = 'approved';

-- name: note_restocked -> count
UPDATE return_items SET restocked = :restocked WHERE return_id = :return_id AND order_item_id = :item_id;

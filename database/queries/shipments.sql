-- name: add -> id
INSERT INTO shipments (order_id, carrier, tracking_number, tracking_url, shipped_at, actor_id)
VALUES (:order_id, :carrier, :tracking_number, :tracking_url, UTC_TIMESTAMP(6), :actor_id);

-- name: add_items -> count
INSERT INTO shipment_items (shipment_id, order_item_id, quantity)
SELECT :shipment_id, i.item_id, i.quantity
  FROM JSON_TABLE(:items, '$[*]' COLUMNS (item_id BIGINT UNSIGNED PATH '$.item_id', quantity INT PATH '$.quantity')) i;

-- name: list_of -> rows
-- Goods may be sent back for some days after the last parcel left.
SELECT s.order_id, s.id, s.carrier, s.tracking_number, s.tracking_url, s.shipped_at, s.delivered_at,
       s.shipped_at + INTERVAL :return_days DAY AS return_by,
       s.shipped_at + INTERVAL :return_days DAY >= UTC_TIMESTAMP(6) AS may_return,
       (SELECT JSON_ARRAYAGG(JSON_OBJECT('item_id', i.order_item_id, 'quantity', i.quantity)) FROM shipment_items i WHERE i.shipment_id = s.id) AS items
  FROM shipments s
 WHERE s.order_id IN (:order_ids)
 ORDER BY s.order_id, s.id
 LIMIT 10000;

-- name: get_number -> value
SELECT o.number FROM shipments s JOIN orders o ON o.id = s.order_id WHERE s.id = :shipment_id;

-- name: deliver -> count
UPDATE shipments SET delivered_at = UTC_TIMESTAMP(6) WHERE id = :shipment_id AND delivered_at IS NULL;

-- name: may_return -> value
SELECT 1 FROM shipments WHERE order_id = :order_id AND shipped_at + INTERVAL :return_days DAY >= UTC_TIMESTAMP(6) LIMIT 1;

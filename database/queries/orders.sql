-- name: add -> id
INSERT INTO orders (number, user_id, email, email_key, by_guest, status, payment_method, shipping_method, shipping_name, currency, tax_included,
                    subtotal_minor, discount_minor, shipping_minor, tax_minor, total_minor, gift_card_minor, due_minor, coupon, explanation,
                    name, line1, line2, city, region, postcode, country, phone, note, terms_version, placed_at, pay_by)
VALUES (:number, :user_id, :email, :email_key, :user_id IS NULL, :status, :payment_method, :shipping_method, :shipping_name, :currency, :tax_included,
        :subtotal_minor, :discount_minor, :shipping_minor, :tax_minor, :total_minor, :gift_card_minor, :due_minor, :coupon, :explanation,
        :name, :line1, :line2, :city, :region, :postcode, :country, :phone, :note, :terms_version, :placed_at, :pay_by);

-- name: add_items -> count
-- All lines in one round trip, as copies that later changes of the products do not reach.
INSERT INTO order_items (order_id, position, variant_id, product_id, title, options, sku, image_path, quantity, price_minor, line_minor, discount_minor,
                         tax_rate_bp, tax_minor, gift_card)
SELECT :order_id, i.position, i.variant_id, i.product_id, i.title, i.options, i.sku, i.image_path, i.quantity, i.price_minor, i.line_minor, i.discount_minor,
       i.tax_rate_bp, i.tax_minor, i.gift_card
  FROM JSON_TABLE(:items, '$[*]' COLUMNS (position FOR ORDINALITY,
                                          variant_id BIGINT UNSIGNED PATH '$.variant_id',
                                          product_id BIGINT UNSIGNED PATH '$.product_id',
                                          title VARCHAR(190) PATH '$.title',
                                          options VARCHAR(400) PATH '$.options',
                                          sku VARCHAR(64) PATH '$.sku',
                                          image_path VARCHAR(190) PATH '$.image_path',
                                          quantity INT PATH '$.quantity',
                                          price_minor BIGINT PATH '$.price_minor',
                                          line_minor BIGINT PATH '$.line_minor',
                                          discount_minor BIGINT PATH '$.discount_minor',
                                          tax_rate_bp INT PATH '$.tax_rate_bp',
                                          tax_minor BIGINT PATH '$.tax_minor',
                                          gift_card BOOLEAN PATH '$.gift_card')) i;

-- name: list_item_ids -> rows
SELECT id FROM order_items WHERE order_id = :order_id ORDER BY position LIMIT 100;

-- name: add_placed -> id
INSERT INTO order_events (order_id, kind, actor_id, at)
VALUES (:order_id, 'placed', :actor_id, :at);

-- name: add_event -> id
INSERT INTO order_events (order_id, kind, actor_id, at)
VALUES (:order_id, :kind, :actor_id, UTC_TIMESTAMP(6));

-- name: add_key -> count
-- Zero rows: the buyer used this key before. A request in flight with the same key is waited for here.
INSERT IGNORE INTO idempotency_keys (scope, request_key, body_hash, order_id, created_at)
VALUES (:scope, :request_key, :body_hash, :order_id, UTC_TIMESTAMP(6));

-- name: get_by_key -> row
SELECT k.body_hash, o.id, o.number
  FROM idempotency_keys k
  JOIN orders o ON o.id = k.order_id
 WHERE k.scope = :scope AND k.request_key = :request_key;

-- name: move_keys -> count
-- A guest who signs in and sends an order again, not knowing that it had gone through, gets that order.
UPDATE IGNORE idempotency_keys SET scope = :scope WHERE scope = :former;

-- part: columns
SELECT o.id, o.number, o.user_id, o.email, o.by_guest, o.status, o.payment_status, o.fulfilment_status, o.payment_method, o.shipping_method, o.shipping_name,
       o.currency, o.tax_included, o.subtotal_minor, o.discount_minor, o.shipping_minor, o.tax_minor, o.total_minor, o.gift_card_minor, o.due_minor,
       o.coupon, o.explanation, o.name, o.line1, o.line2, o.city, o.region, o.postcode, o.country, o.phone, o.note, o.terms_version, o.placed_at,
       o.pay_by

-- name: get -> row
{columns}
  FROM orders o
 WHERE o.number = :number;

-- name: list_by_ids -> rows
{columns}
  FROM orders o
 WHERE o.id IN (:order_ids)
 ORDER BY o.id DESC
 LIMIT 100;

-- name: list_of_user -> rows
{columns}
  FROM orders o
 WHERE o.user_id = :user_id AND (:after_id IS NULL OR o.id < :after_id)
 ORDER BY o.id DESC
 LIMIT :limit;

-- name: count_of_user -> value
SELECT COUNT(*) FROM orders WHERE user_id = :user_id;

-- name: list_items -> rows
SELECT i.order_id, i.id, i.variant_id, i.product_id, p.slug, i.title, i.options, i.sku, i.image_path, i.quantity, i.price_minor, i.line_minor, i.discount_minor,
       i.tax_rate_bp, i.tax_minor,
       (SELECT CAST(COALESCE(SUM(s.quantity), 0) AS SIGNED) FROM shipment_items s WHERE s.order_item_id = i.id) AS sent,
       (SELECT CAST(COALESCE(SUM(f.unsent), 0) AS SIGNED) FROM refund_items f WHERE f.order_item_id = i.id) AS unsent,
       (SELECT CAST(COALESCE(SUM(b.quantity), 0) AS SIGNED)
          FROM return_items b
          JOIN returns r ON r.id = b.return_id AND r.status <> 'rejected'
         WHERE b.order_item_id = i.id) AS sent_back,
       (SELECT CAST(COALESCE(SUM(f.quantity), 0) AS SIGNED) FROM refund_items f WHERE f.order_item_id = i.id) AS refunded
  FROM order_items i
  LEFT JOIN products p ON p.id = i.product_id AND p.listed
 WHERE i.order_id IN (:order_ids)
 ORDER BY i.order_id, i.position
 LIMIT 10000;

-- name: list_events -> rows
SELECT order_id, kind, at FROM order_events WHERE order_id IN (:order_ids) ORDER BY order_id, id LIMIT 10000;

-- name: cancel -> count
-- Zero rows: the order is in a state that cannot be cancelled, or somebody else was quicker.
UPDATE orders
   SET status = 'cancelled'
 WHERE id = :order_id AND status IN (:cancellable) AND payment_status = 'unpaid' AND fulfilment_status = 'unfulfilled';

-- name: list_overdue -> rows
SELECT id FROM orders WHERE status = 'pending' AND pay_by < UTC_TIMESTAMP(6) ORDER BY pay_by LIMIT 100;

-- name: expire -> count
UPDATE orders SET status = 'expired' WHERE id = :order_id AND status = 'pending' AND payment_status = 'unpaid' AND pay_by < UTC_TIMESTAMP(6);

-- name: get_by_id -> row
{columns}
  FROM orders o
 WHERE o.id = :order_id;

-- name: hold -> row
{columns}
  FROM orders o
 WHERE o.number = :number
   FOR UPDATE;

-- name: set_states -> count
UPDATE orders SET status = :status, payment_status = :payment_status, fulfilment_status = :fulfilment_status WHERE id = :order_id;

-- name: list_lines -> rows
-- What became of each line of one order, and what was paid for it: with its tax, less its discount.
SELECT i.id, i.variant_id, i.title, i.options, i.quantity, i.gift_card,
       i.line_minor - i.discount_minor + IF(o.tax_included, 0, i.tax_minor) AS paid_minor,
       i.tax_minor,
       (SELECT CAST(COALESCE(SUM(s.quantity), 0) AS SIGNED) FROM shipment_items s WHERE s.order_item_id = i.id) AS sent,
       (SELECT CAST(COALESCE(SUM(f.unsent), 0) AS SIGNED) FROM refund_items f WHERE f.order_item_id = i.id) AS unsent,
       (SELECT CAST(COALESCE(SUM(f.quantity), 0) AS SIGNED) FROM refund_items f WHERE f.order_item_id = i.id) AS refunded,
       (SELECT CAST(COALESCE(SUM(f.restocked), 0) AS SIGNED) FROM refund_items f WHERE f.order_item_id = i.id)
       + (SELECT CAST(COALESCE(SUM(b.restocked), 0) AS SIGNED) FROM return_items b WHERE b.order_item_id = i.id) AS restocked,
       (SELECT CAST(COALESCE(SUM(b.quantity), 0) AS SIGNED)
          FROM return_items b
          JOIN returns r ON r.id = b.return_id AND r.status <> 'rejected'
         WHERE b.order_item_id = i.id) AS sent_back
  FROM order_items i
  JOIN orders o ON o.id = i.order_id
 WHERE i.order_id = :order_id
 ORDER BY i.position
 LIMIT 100;

-- name: get_sending -> row
-- How many pieces are to be sent in all, how many were, and how many parcels have not arrived. Gift cards go by mail.
SELECT (SELECT CAST(COALESCE(SUM(i.quantity), 0) AS SIGNED) FROM order_items i WHERE i.order_id = :order_id AND NOT i.gift_card)
       - (SELECT CAST(COALESCE(SUM(f.unsent), 0) AS SIGNED)
            FROM refund_items f
            JOIN order_items i ON i.id = f.order_item_id AND NOT i.gift_card
           WHERE i.order_id = :order_id) AS wanted,
       (SELECT CAST(COALESCE(SUM(p.quantity), 0) AS SIGNED)
          FROM shipments s
          JOIN shipment_items p ON p.shipment_id = s.id
         WHERE s.order_id = :order_id) AS sent,
       (SELECT COUNT(*) FROM shipments s WHERE s.order_id = :order_id AND s.delivered_at IS NULL) AS on_the_way;

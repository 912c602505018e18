-- name: add -> id
INSERT INTO orders (number, user_id, email, status, payment_method, shipping_method, shipping_name, currency, tax_included,
                    subtotal_minor, discount_minor, shipping_minor, tax_minor, total_minor, gift_card_minor, due_minor, coupon, explanation,
                    name, line1, line2, city, region, postcode, country, phone, note, placed_at, pay_by)
VALUES (:number, :user_id, :email, :status, :payment_method, :shipping_method, :shipping_name, :currency, :tax_included,
        :subtotal_minor, :discount_minor, :shipping_minor, :tax_minor, :total_minor, :gift_card_minor, :due_minor, :coupon, :explanation,
        :name, :line1, :line2, :city, :region, :postcode, :country, :phone, :note, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6) + INTERVAL :pay_days DAY);

-- name: add_items -> count
-- All lines in one round trip, as copies that later changes of the products do not reach.
INSERT INTO order_items (order_id, position, variant_id, product_id, title, options, sku, image_path, quantity, price_minor, line_minor, discount_minor,
                         tax_rate_bp, tax_minor)
SELECT :order_id, i.position, i.variant_id, i.product_id, i.title, i.options, i.sku, i.image_path, i.quantity, i.price_minor, i.line_minor, i.discount_minor,
       i.tax_rate_bp, i.tax_minor
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
                                          tax_minor BIGINT PATH '$.tax_minor')) i;

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

-- name: delete_old_keys -> count
DELETE FROM idempotency_keys WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL 30 DAY ORDER BY created_at LIMIT 1000;

-- part: columns
SELECT o.id, o.number, o.user_id, o.email, o.status, o.payment_status, o.fulfilment_status, o.payment_method, o.shipping_method, o.shipping_name,
       o.currency, o.tax_included, o.subtotal_minor, o.discount_minor, o.shipping_minor, o.tax_minor, o.total_minor, o.gift_card_minor, o.due_minor,
       o.coupon, o.explanation, o.name, o.line1, o.line2, o.city, o.region, o.postcode, o.country, o.phone, o.note, o.placed_at, o.pay_by

-- name: get -> row
{columns}
  FROM orders o
 WHERE o.number = :number;

-- name: list_of_user -> rows
{columns}
  FROM orders o
 WHERE o.user_id = :user_id AND (:after_id IS NULL OR o.id < :after_id)
 ORDER BY o.id DESC
 LIMIT :limit;

-- name: count_of_user -> value
SELECT COUNT(*) FROM orders WHERE user_id = :user_id;

-- name: list_items -> rows
SELECT i.order_id, i.variant_id, i.product_id, p.slug, i.title, i.options, i.sku, i.image_path, i.quantity, i.price_minor, i.line_minor, i.discount_minor,
       i.tax_rate_bp, i.tax_minor
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

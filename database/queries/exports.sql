-- name: list_orders -> rows
SELECT id, number, placed_at, status, payment_status, fulfilment_status, email, name, line1, line2, postcode, city, region, country, phone,
       payment_method, shipping_name, coupon, currency, subtotal_minor, discount_minor, shipping_minor, tax_minor, total_minor, gift_card_minor, due_minor
  FROM orders
 WHERE id > :after_id
   AND (:status IS NULL OR status = :status)
   AND (:since IS NULL OR placed_at >= :since)
   AND (:before IS NULL OR placed_at < :before)
 ORDER BY id
 LIMIT :limit;

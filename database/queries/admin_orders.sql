-- part: wanted
 WHERE (:any_status OR o.status IN (:statuses))
   AND (:payment_status IS NULL OR o.payment_status = :payment_status)
   AND (:fulfilment_status IS NULL OR o.fulfilment_status = :fulfilment_status)
   AND (:since IS NULL OR o.placed_at >= :since)
   AND (:before IS NULL OR o.placed_at < :before)
   AND (:any_id OR o.id IN (:ids))

-- name: find -> rows
-- Numbers and the beginnings of addresses are found among all orders, by their indexes; parts of names and addresses in the latest `reach`,
-- so that no search reads all there are. Of very many the latest are taken.
SELECT found.id
  FROM ((SELECT n.id FROM orders n WHERE n.number LIKE :number ESCAPE '!' LIMIT :reach)
         UNION
        (SELECT e.id FROM orders e WHERE e.email_key LIKE :address ESCAPE '!' LIMIT :reach)
         UNION
        (SELECT late.id
           FROM (SELECT l.id, l.email, l.name FROM orders l ORDER BY l.id DESC LIMIT :reach) late
          WHERE late.email LIKE :anywhere ESCAPE '!' OR late.name LIKE :anywhere ESCAPE '!')) found
 ORDER BY found.id DESC
 LIMIT :most;

-- name: find_with_return -> rows
SELECT DISTINCT order_id AS id FROM returns WHERE status = :status ORDER BY order_id DESC LIMIT :most;

-- name: list_all -> rows
-- The page is cut first; only its rows are then dressed.
-- sort placed: o.placed_at DESC, o.id DESC AFTER (o.placed_at < :after OR o.placed_at = :after AND o.id < :after_id)
-- sort placed_asc: o.placed_at, o.id AFTER (o.placed_at > :after OR o.placed_at = :after AND o.id > :after_id)
-- sort total: o.total_minor, o.id AFTER (o.total_minor > :after OR o.total_minor = :after AND o.id > :after_id)
-- sort total_desc: o.total_minor DESC, o.id DESC AFTER (o.total_minor < :after OR o.total_minor = :after AND o.id < :after_id)
SELECT o.id, o.number, o.name, o.email, o.user_id IS NULL AS guest, o.country, o.status, o.payment_status, o.fulfilment_status, o.payment_method,
       o.total_minor, o.placed_at,
       (SELECT CAST(COALESCE(SUM(i.quantity), 0) AS SIGNED) FROM order_items i WHERE i.order_id = o.id) AS count,
       (SELECT COUNT(*) FROM returns r WHERE r.order_id = o.id AND r.status IN ('requested', 'approved')) AS returns_open
  FROM (SELECT o.id
          FROM orders o
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN orders o ON o.id = page.id
 ORDER BY {sort};

-- name: count_all -> value
-- Counted in the order of time, so that it goes by an index which holds that order.
SELECT COUNT(*) FROM (SELECT 1 FROM orders o {wanted} ORDER BY o.placed_at DESC LIMIT :most) counted;

-- name: list_exported -> rows
SELECT o.id, o.number, o.placed_at, o.status, o.payment_status, o.fulfilment_status, o.email, o.name, o.line1, o.line2, o.postcode, o.city, o.region, o.country, o.phone,
       o.payment_method, o.shipping_name, o.coupon, o.currency, o.subtotal_minor, o.discount_minor, o.shipping_minor, o.tax_minor, o.total_minor, o.gift_card_minor, o.due_minor
  FROM orders o
{wanted}
   AND o.id > :after_id
 ORDER BY o.id
 LIMIT :limit;

-- name: list_payments -> rows
SELECT id, method, status, amount_minor, captured_minor, refunded_minor, gateway_id, created_at, paid_at
  FROM payments
 WHERE order_id = :order_id
 ORDER BY id
 LIMIT 100;

-- name: list_events -> rows
SELECT e.kind, e.at, u.username AS actor
  FROM order_events e
  LEFT JOIN users u ON u.id = e.actor_id
 WHERE e.order_id = :order_id
 ORDER BY e.id
 LIMIT 1000;

-- name: is_category -> value
SELECT 1 FROM categories WHERE id = :category_id;

-- name: lock_products -> rows
SELECT id, category_id, published, archived_at FROM products WHERE id IN (:ids) ORDER BY id LIMIT 1000 FOR UPDATE;

-- name: set_published -> count
UPDATE products SET published = :published, version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE id IN (:ids);

-- name: archive -> count
UPDATE products SET archived_at = UTC_TIMESTAMP(6), version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE id IN (:ids);

-- name: restore -> count
UPDATE products SET archived_at = NULL, version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE id IN (:ids);

-- name: set_category -> count
UPDATE products SET category_id = :category_id, version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE id IN (:ids);

-- name: highest_price_after -> value
-- What the most expensive variant would cost, so that no price exceeds the maximum.
SELECT ROUND(MAX(price_minor) * (100 + :percent) / 100) FROM variants WHERE product_id IN (:ids) AND archived_at IS NULL;

-- name: change_prices -> count
-- Decimals are exact, and ROUND takes halves away from zero, as money.rounded does. Nothing becomes free that was not.
UPDATE variants
   SET price_minor = GREATEST(LEAST(price_minor, 1), ROUND(price_minor * (100 + :percent) / 100))
 WHERE product_id IN (:ids) AND archived_at IS NULL;

-- name: refresh_prices -> count
UPDATE products p
  JOIN (SELECT product_id, MIN(price_minor) AS low, MAX(price_minor) AS high
          FROM variants
         WHERE product_id IN (:ids) AND archived_at IS NULL
         GROUP BY product_id) v ON v.product_id = p.id
   SET p.price_minor = v.low, p.price_max_minor = v.high, p.version = p.version + 1, p.updated_at = UTC_TIMESTAMP(6);

-- name: count_variants -> rows
SELECT product_id, COUNT(*) AS variants FROM variants WHERE product_id IN (:ids) AND archived_at IS NULL GROUP BY product_id LIMIT 1000;

-- name: lock_prices -> rows
-- In ascending order of id, as orders lock variants.
SELECT id, product_id, price_minor FROM variants WHERE product_id IN (:ids) AND archived_at IS NULL ORDER BY id LIMIT 100000 FOR UPDATE;

-- name: list_prices -> rows
SELECT id, price_minor FROM variants WHERE product_id IN (:ids) AND archived_at IS NULL LIMIT 100000;

-- name: put_prices -> count
UPDATE JSON_TABLE(:prices, '$[*]' COLUMNS (variant_id BIGINT UNSIGNED PATH '$[0]', price_minor BIGINT PATH '$[1]')) former
STRAIGHT_JOIN variants v FORCE INDEX (PRIMARY) ON v.id = former.variant_id
   SET v.price_minor = former.price_minor;

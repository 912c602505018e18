-- name: find_customers -> rows
-- Whoever staff may mean by the beginning of a name or an address.
SELECT u.id, u.username, u.email, u.first_name, u.last_name, u.phone
  FROM users u
 WHERE u.email LIKE :beginning ESCAPE '!' OR u.username LIKE :beginning ESCAPE '!' OR u.first_name LIKE :beginning ESCAPE '!'
    OR u.last_name LIKE :beginning ESCAPE '!' OR CONCAT(u.first_name, ' ', u.last_name) LIKE :beginning ESCAPE '!'
 ORDER BY u.last_name, u.first_name, u.id
 LIMIT :limit;

-- name: list_addresses -> rows
-- The first of each account is its default.
SELECT user_id, id, label, name, line1, line2, city, region, postcode, country, phone
  FROM addresses
 WHERE user_id IN (:user_ids)
 ORDER BY user_id, preferred_at DESC, id
 LIMIT 200;

-- name: find_variants -> rows
-- The variant with this SKU goes before those of the products that were found by words.
SELECT found.id
  FROM (SELECT v.id, 0 AS product_id, 0 AS position FROM variants v WHERE v.sku = :text AND v.archived_at IS NULL
         UNION ALL
        SELECT v.id, v.product_id, v.position FROM variants v WHERE v.product_id IN (:product_ids) AND v.archived_at IS NULL AND NOT (v.sku <=> :text)) found
 ORDER BY found.product_id, found.position
 LIMIT :limit;

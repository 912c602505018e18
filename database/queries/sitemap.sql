-- name: newest_product -> value
SELECT COALESCE(MAX(id), 0) FROM products;

-- name: list_products -> rows
-- A page of the sitemap is a range of ids, so that it is found without reading those before.
SELECT slug, updated_at
  FROM products
 WHERE id > :after_id AND id <= :last_id AND listed
 ORDER BY id
 LIMIT 10000;

-- name: list_categories -> rows
SELECT slug FROM categories ORDER BY id LIMIT 1000;

-- name: get -> row
SELECT id, product_id, position, path, alt, width, height, widths FROM images WHERE id = :image_id;

-- name: arrange -> count
UPDATE JSON_TABLE(:places, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$.id', position INT UNSIGNED PATH '$.position')) w
STRAIGHT_JOIN images i ON i.id = w.id
   SET i.position = w.position;

-- name: describe -> count
UPDATE images SET alt = :alt WHERE id = :image_id;

-- name: delete -> count
DELETE FROM images WHERE id = :image_id;

-- name: touch -> count
UPDATE products SET updated_at = UTC_TIMESTAMP(6) WHERE id = :product_id;

-- name: list_category_paths -> rows
SELECT image_path AS path FROM categories WHERE image_path IS NOT NULL ORDER BY id LIMIT 10000;

-- name: list_paths -> rows
SELECT id, path FROM images WHERE id > :after ORDER BY id LIMIT :limit;

-- part: category
SELECT c.id, c.parent_id, c.slug, c.name, c.description, c.image_path, c.image_alt, c.image_width, c.image_height, c.image_widths,
       c.position, c.version,
       (SELECT COUNT(*) FROM products p WHERE p.category_id = c.id AND p.archived_at IS NULL) AS product_count
  FROM categories c

-- name: list_all -> rows
{category}
 ORDER BY c.position, c.name, c.id
 LIMIT 10000;

-- name: get -> row
{category}
 WHERE c.id = :category_id;

-- name: lock_all -> rows
SELECT id FROM categories ORDER BY id LIMIT 10000 FOR UPDATE;

-- name: list_line -> rows
-- A category and all above it.
WITH RECURSIVE above (id) AS (
    SELECT id FROM categories WHERE id = :category_id
     UNION
    SELECT c.parent_id FROM categories c JOIN above a ON c.id = a.id WHERE c.parent_id IS NOT NULL
)
SELECT id FROM above LIMIT 10000;

-- name: change -> count
UPDATE categories
   SET slug = :slug, name = :name, description = :description, parent_id = :parent_id, position = :position, image_alt = :image_alt,
       version = version + 1
 WHERE id = :category_id;

-- name: set_picture -> count
-- Pictures are saved by themselves: whoever is writing about the category meanwhile is not disturbed.
UPDATE categories
   SET image_path = :path, image_alt = :alt, image_width = :width, image_height = :height, image_widths = :widths
 WHERE id = :category_id;

-- name: count_below -> value
SELECT COUNT(*) FROM categories WHERE parent_id = :category_id;

-- name: list_products -> rows
-- In the order in which everybody takes products, archived ones too.
SELECT id FROM products WHERE category_id = :category_id ORDER BY id LIMIT :limit;

-- name: move_products -> count
UPDATE products
   SET category_id = :parent_id, version = version + 1, updated_at = UTC_TIMESTAMP(6)
 WHERE id IN (:ids) AND category_id = :category_id
 ORDER BY id;

-- name: move_below -> count
UPDATE categories SET parent_id = :parent_id, version = version + 1 WHERE parent_id = :category_id;

-- name: delete -> count
DELETE FROM categories WHERE id = :category_id;

-- name: list_slugs -> rows
SELECT slug FROM categories WHERE slug IN (:slugs) LIMIT 100;

-- name: add -> id
INSERT INTO categories (parent_id, slug, name, description, image_path, image_alt, position, demo)
VALUES (:parent_id, :slug, :name, :description, :image_path, :image_alt, :position, :demo);

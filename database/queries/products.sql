-- name: lock -> row
-- Whoever changes a product, its variants or its pictures holds this row, so that they take turns; buyers never wait for it.
SELECT id, slug, gift_card, version, archived_at FROM products WHERE id = :product_id FOR UPDATE;

-- name: product_of_variant -> value
SELECT product_id FROM variants WHERE id = :variant_id AND archived_at IS NULL;

-- name: get -> row
SELECT p.id, p.slug, p.title, p.description, p.markdown, p.brand, p.type, p.tax_class, p.gift_card, p.tags, p.option1, p.option2, p.option3, p.price_minor, p.price_max_minor,
       p.rating_sum, p.rating_count, p.sold_count, p.seo_title, p.seo_description, p.published, p.archived_at, p.version, p.created_at, p.updated_at,
       p.category_id, c.slug AS category_slug, c.name AS category_name
  FROM products p
  LEFT JOIN categories c ON c.id = p.category_id
 WHERE p.id = :product_id;

-- name: list_variants -> rows
SELECT id, position, sku, option1, option2, option3, price_minor, compare_at_minor, stock, tracked, weight_g, barcode, image_id
  FROM variants
 WHERE product_id = :product_id AND archived_at IS NULL
 ORDER BY position, id
 LIMIT 250;

-- name: lock_variants -> rows
-- In the order in which everybody takes variants: by id.
SELECT id, stock FROM variants WHERE id IN (:variant_ids) ORDER BY id LIMIT 250 FOR UPDATE;

-- name: list_slugs -> rows
-- Addresses that are or were somebody's.
SELECT slug FROM products WHERE slug IN (:slugs)
 UNION
SELECT slug FROM product_slugs WHERE slug IN (:slugs)
 LIMIT 100;

-- name: list_skus -> rows
SELECT v.id, v.sku, p.title
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.sku IN (:skus)
 LIMIT 250;

-- name: hold_category -> value
-- It cannot be deleted before what is put into it is there.
SELECT id FROM categories WHERE id = :category_id LOCK IN SHARE MODE;

-- name: add -> id
INSERT INTO products (slug, title, description, markdown, category_id, brand, type, tax_class, tags, option1, option2, option3, price_minor,
                      price_max_minor, seo_title, seo_description, published, demo, gift_card, created_at, updated_at)
VALUES (:slug, :title, :description, :markdown, :category_id, :brand, :type, :tax_class, :tags, :option1, :option2, :option3, :price_minor,
        :price_max_minor, :seo_title, :seo_description, :published, :demo, :gift_card, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: change -> count
UPDATE products
   SET slug = :slug, title = :title, description = :description, markdown = :markdown, category_id = :category_id, brand = :brand, type = :type,
       tax_class = :tax_class, tags = :tags, option1 = :option1, option2 = :option2, option3 = :option3, price_minor = :price_minor, price_max_minor = :price_max_minor,
       seo_title = :seo_title, seo_description = :seo_description, published = :published, version = version + 1, updated_at = UTC_TIMESTAMP(6)
 WHERE id = :product_id;

-- name: keep_slug -> count
INSERT INTO product_slugs (slug, product_id, created_at)
VALUES (:slug, :product_id, UTC_TIMESTAMP(6))
    ON DUPLICATE KEY UPDATE product_id = :product_id, created_at = UTC_TIMESTAMP(6);

-- name: take_slug -> count
-- An address that is in use leads nowhere else.
DELETE FROM product_slugs WHERE slug = :slug;

-- part: wanted
JSON_TABLE(:variants, '$[*]' COLUMNS (
           id BIGINT UNSIGNED PATH '$.id', position INT UNSIGNED PATH '$.position', sku VARCHAR(64) PATH '$.sku',
           option1 VARCHAR(120) PATH '$.option1', option2 VARCHAR(120) PATH '$.option2', option3 VARCHAR(120) PATH '$.option3',
           price_minor BIGINT PATH '$.price_minor', compare_at_minor BIGINT PATH '$.compare_at_minor', stock INT PATH '$.stock',
           tracked TINYINT PATH '$.tracked', weight_g INT UNSIGNED PATH '$.weight_g', barcode VARCHAR(32) PATH '$.barcode',
           image_id BIGINT UNSIGNED PATH '$.image_id')) w

-- name: add_variants -> count
INSERT INTO variants (product_id, position, sku, option1, option2, option3, price_minor, compare_at_minor, stock, tracked, weight_g, barcode, image_id)
SELECT :product_id, w.position, w.sku, w.option1, w.option2, w.option3, w.price_minor, w.compare_at_minor, COALESCE(w.stock, 0), w.tracked, w.weight_g,
       w.barcode, NULLIF(w.image_id, 0)
  FROM {wanted};

-- name: free_skus -> count
-- Two variants may swap their SKUs, but not in one step.
UPDATE variants SET sku = NULL WHERE id IN (:variant_ids);

-- name: change_variants -> count
-- No stock means to leave it, and so does picture 0.
UPDATE {wanted}
STRAIGHT_JOIN variants v FORCE INDEX (PRIMARY) ON v.id = w.id
   SET v.position = w.position, v.sku = w.sku, v.option1 = w.option1, v.option2 = w.option2, v.option3 = w.option3, v.price_minor = w.price_minor,
       v.compare_at_minor = w.compare_at_minor, v.stock = COALESCE(w.stock, v.stock), v.tracked = w.tracked, v.weight_g = w.weight_g,
       v.barcode = w.barcode, v.image_id = IF(w.image_id = 0, v.image_id, w.image_id);

-- name: archive_variants -> count
-- Orders keep a copy of the SKU, so another variant may have it now.
UPDATE variants SET archived_at = UTC_TIMESTAMP(6), sku = NULL WHERE id IN (:variant_ids);

-- name: archive -> count
UPDATE products SET archived_at = UTC_TIMESTAMP(6), version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE id = :product_id AND archived_at IS NULL;

-- name: restore -> count
UPDATE products SET archived_at = NULL, version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE id = :product_id AND archived_at IS NOT NULL;

-- name: archive_demo -> count
-- Sold or not, a demo product is put away, not deleted: an order may still name it.
UPDATE products SET archived_at = UTC_TIMESTAMP(6), version = version + 1, updated_at = UTC_TIMESTAMP(6) WHERE demo AND archived_at IS NULL;

-- name: detach_demo_categories -> count
UPDATE products p JOIN categories c ON c.id = p.category_id SET p.category_id = NULL WHERE c.demo AND p.archived_at IS NOT NULL;

-- name: delete_demo_categories -> count
-- A demo category that got real products stays.
DELETE FROM categories WHERE demo AND NOT EXISTS (SELECT 1 FROM products p WHERE p.category_id = categories.id);

-- name: add_image -> id
INSERT INTO images (product_id, position, path, alt, width, height, widths)
VALUES (:product_id, :position, :path, :alt, :width, :height, :widths);

-- part: sheet
-- A product as a file tells it.
SELECT p.id, p.slug, p.title, p.description, p.markdown, p.category_id, p.brand, p.type, p.tags, p.published, p.gift_card, p.tax_class, p.option1, p.option2, p.option3,
       p.seo_title, p.seo_description, p.archived_at IS NOT NULL AS archived
  FROM products p

-- name: list_products -> rows
{sheet}
 WHERE p.slug IN (:slugs)
 LIMIT 500;

-- name: list_ids -> rows
SELECT id FROM products WHERE slug IN (:slugs) LIMIT 500;

-- name: lock_products -> rows
-- In ascending order of id, as every transaction that changes several products locks them.
{sheet}
 WHERE p.id IN (:product_ids)
 ORDER BY p.id
 LIMIT 500
   FOR UPDATE;

-- name: list_variant_ids -> rows
SELECT id FROM variants WHERE product_id IN (:product_ids) AND archived_at IS NULL LIMIT 200000;

-- name: lock_variants -> rows
-- In the order in which orders lock variants, all of a batch at once: by id.
SELECT id FROM variants WHERE id IN (:variant_ids) ORDER BY id LIMIT 200000 FOR UPDATE;

-- name: list_after -> rows
{sheet}
 WHERE p.slug > :after AND p.archived_at IS NULL
 ORDER BY p.slug
 LIMIT :limit;

-- name: list_variants -> rows
SELECT v.id, v.product_id, v.sku, v.option1, v.option2, v.option3, v.price_minor, v.compare_at_minor, v.stock, v.tracked, v.weight_g, v.barcode, v.image_id
  FROM variants v
 WHERE v.product_id IN (:product_ids) AND v.archived_at IS NULL
 ORDER BY v.product_id, v.position, v.id
 LIMIT 200000;

-- name: list_images -> rows
SELECT i.id, i.product_id, i.path, i.alt, i.position
  FROM images i
 WHERE i.product_id IN (:product_ids)
 ORDER BY i.product_id, i.position, i.id
 LIMIT 50000;

-- name: list_skus -> rows
SELECT v.id, v.sku, v.product_id, p.slug, v.archived_at IS NOT NULL AS archived
  FROM variants v
  JOIN products p ON p.id = v.product_id
 WHERE v.sku IN (:skus)
 LIMIT 1000;

-- name: list_categories -> rows
SELECT c.id, c.parent_id, c.name FROM categories c ORDER BY c.id LIMIT 10000;

-- name: lock_categories -> rows
-- They cannot be deleted before the products that go into them are there.
SELECT id FROM categories WHERE id IN (:category_ids) ORDER BY id LIMIT 1000 LOCK IN SHARE MODE;

-- part: planned_products
JSON_TABLE(:products, '$[*]' COLUMNS (
           id BIGINT UNSIGNED PATH '$.id', slug VARCHAR(190) PATH '$.slug', title VARCHAR(190) PATH '$.title',
           description MEDIUMTEXT PATH '$.description', markdown MEDIUMTEXT PATH '$.markdown',
           category_id BIGINT UNSIGNED PATH '$.category_id', brand VARCHAR(120) PATH '$.brand', type VARCHAR(120) PATH '$.type',
           tax_class VARCHAR(16) PATH '$.tax_class', tags VARCHAR(500) PATH '$.tags', option1 VARCHAR(60) PATH '$.option1',
           option2 VARCHAR(60) PATH '$.option2', option3 VARCHAR(60) PATH '$.option3', price_minor BIGINT PATH '$.price_minor',
           price_max_minor BIGINT PATH '$.price_max_minor', seo_title VARCHAR(190) PATH '$.seo_title',
           seo_description VARCHAR(500) PATH '$.seo_description', published TINYINT PATH '$.published',
           gift_card TINYINT PATH '$.gift_card')) w

-- name: add_products -> count
INSERT INTO products (slug, title, description, markdown, category_id, brand, type, tax_class, tags, option1, option2, option3, price_minor,
                      price_max_minor, seo_title, seo_description, published, gift_card, created_at, updated_at)
SELECT w.slug, w.title, w.description, w.markdown, w.category_id, w.brand, w.type, w.tax_class, w.tags, w.option1, w.option2, w.option3,
       w.price_minor, w.price_max_minor, w.seo_title, w.seo_description, w.published, w.gift_card, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6)
  FROM {planned_products};

-- name: change_products -> count
-- A product that a file names is archived no longer.
UPDATE {planned_products}
STRAIGHT_JOIN products p FORCE INDEX (PRIMARY) ON p.id = w.id
   SET p.title = w.title, p.description = w.description, p.markdown = w.markdown, p.category_id = w.category_id, p.brand = w.brand,
       p.type = w.type, p.tax_class = w.tax_class, p.tags = w.tags, p.option1 = w.option1, p.option2 = w.option2, p.option3 = w.option3,
       p.price_minor = w.price_minor, p.price_max_minor = w.price_max_minor, p.seo_title = w.seo_title,
       p.seo_description = w.seo_description, p.published = w.published, p.archived_at = NULL, p.version = p.version + 1,
       p.updated_at = UTC_TIMESTAMP(6);

-- name: take_slugs -> count
-- An address that is in use leads nowhere else.
DELETE FROM product_slugs WHERE slug IN (:slugs);

-- name: list_added -> rows
SELECT id, slug FROM products WHERE slug IN (:slugs) LIMIT 500;

-- name: add_variants -> count
INSERT INTO variants (product_id, position, sku, option1, option2, option3, price_minor, compare_at_minor, stock, tracked, weight_g, barcode)
SELECT w.product_id, w.position, w.sku, w.option1, w.option2, w.option3, w.price_minor, w.compare_at_minor, COALESCE(w.stock, 0), w.tracked,
       w.weight_g, w.barcode
  FROM JSON_TABLE(:variants, '$[*]' COLUMNS (
           product_id BIGINT UNSIGNED PATH '$.product_id', position INT UNSIGNED PATH '$.position', sku VARCHAR(64) PATH '$.sku',
           option1 VARCHAR(120) PATH '$.option1', option2 VARCHAR(120) PATH '$.option2', option3 VARCHAR(120) PATH '$.option3',
           price_minor BIGINT PATH '$.price_minor', compare_at_minor BIGINT PATH '$.compare_at_minor', stock INT PATH '$.stock',
           tracked TINYINT PATH '$.tracked', weight_g INT UNSIGNED PATH '$.weight_g', barcode VARCHAR(32) PATH '$.barcode')) w;

-- name: list_variant_positions -> rows
SELECT id, product_id, position FROM variants WHERE product_id IN (:product_ids) AND archived_at IS NULL LIMIT 200000;

-- name: add_images -> count
INSERT INTO images (product_id, position, path, alt, width, height, widths)
SELECT w.product_id, w.position, w.path, w.alt, w.width, w.height, w.widths
  FROM JSON_TABLE(:images, '$[*]' COLUMNS (
           product_id BIGINT UNSIGNED PATH '$.product_id', position INT UNSIGNED PATH '$.position', path VARCHAR(190) PATH '$.path',
           alt VARCHAR(250) PATH '$.alt', width INT UNSIGNED PATH '$.width', height INT UNSIGNED PATH '$.height',
           widths VARCHAR(40) PATH '$.widths')) w;

-- name: set_alt_texts -> count
UPDATE JSON_TABLE(:images, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$.id', alt VARCHAR(250) PATH '$.alt')) w
STRAIGHT_JOIN images i FORCE INDEX (PRIMARY) ON i.id = w.id
   SET i.alt = w.alt;

-- name: set_variant_images -> count
UPDATE JSON_TABLE(:variants, '$[*]' COLUMNS (id BIGINT UNSIGNED PATH '$.id', image_id BIGINT UNSIGNED PATH '$.image_id')) w
STRAIGHT_JOIN variants v FORCE INDEX (PRIMARY) ON v.id = w.id
   SET v.image_id = w.image_id;

-- name: add -> id
INSERT INTO imports (format, status, file_name, file_path, user_id, total, result, created_at)
VALUES (:format, :status, :file_name, :file_path, :user_id, :total, :result, UTC_TIMESTAMP(6));

-- part: import
SELECT id, format, status, file_name, file_path, user_id, total, done, attempt, result, created_at, started_at, finished_at FROM imports

-- name: get -> row
{import} WHERE id = :id;

-- name: list_newest -> rows
SELECT id, format, status, file_name, user_id, total, done, created_at, started_at, finished_at
  FROM imports
 WHERE id < :before
 ORDER BY id DESC
 LIMIT :limit;

-- name: count -> value
SELECT COUNT(*) FROM imports;

-- name: next_due -> row
-- The runner of one that is being prepared or applied was cut off. One that is half in the shop goes first, so that it is half for no longer.
{import} WHERE status IN ('checking', 'waiting', 'running', 'applying') ORDER BY status <> 'applying', id LIMIT 1;

-- name: note_check -> count
UPDATE imports SET status = :status, format = :format, total = :total, result = :result WHERE id = :id AND status = 'checking';

-- name: check_again -> count
-- Zero rows: it was started, or its file is gone.
UPDATE imports
   SET status = 'checking', result = :result
 WHERE id = :id AND status IN ('checked', 'refused') AND file_path <> '';

-- name: start -> count
-- Zero rows: it is not one that was looked through and found good.
UPDATE imports SET status = 'waiting', done = 0 WHERE id = :id AND status = 'checked';

-- name: prepare -> count
-- Each attempt makes its own plan, so that a runner that was held up cannot add to the plan of the next one.
UPDATE imports
   SET status = 'running', done = 0, attempt = attempt + 1, started_at = UTC_TIMESTAMP(6)
 WHERE id = :id AND status IN ('waiting', 'running');

-- name: note_progress -> count
UPDATE imports SET done = :done, total = :total WHERE id = :id AND status = 'running';

-- name: lock_attempt -> value
SELECT id FROM imports WHERE id = :id AND status = :status AND attempt = :attempt FOR UPDATE;

-- name: add_chunk -> count
INSERT INTO import_chunks (import_id, position, product_count, products) VALUES (:import_id, :position, :product_count, :products);

-- name: delete_chunks -> count
-- Few at a time: a chunk may have some hundred kilobytes.
DELETE FROM import_chunks WHERE import_id = :import_id LIMIT 20;

-- name: begin_applying -> count
-- From here on the import is completed, whoever dies. Zero rows: another attempt was begun.
UPDATE imports
   SET status = 'applying', applied = 0, done = :done, total = :total, result = :result, started_at = COALESCE(started_at, UTC_TIMESTAMP(6))
 WHERE id = :id AND status = :status AND attempt = :attempt;

-- name: get_next_chunk -> row
SELECT c.position, c.products, i.applied
  FROM imports i
  JOIN import_chunks c ON c.import_id = i.id AND c.position <= i.applied AND i.applied < c.position + c.product_count
 WHERE i.id = :id AND i.status = 'applying'
 LIMIT 1;

-- name: lock_applying -> row
-- First in each batch, so that two runners of one import take turns, and the one that lags finds out.
SELECT applied, user_id, result FROM imports WHERE id = :id AND status = 'applying' FOR UPDATE;

-- name: advance -> count
UPDATE imports SET applied = applied + :count, done = done + :count WHERE id = :id;

-- name: set_result -> count
UPDATE imports SET result = :result WHERE id = :id;

-- name: finish -> count
-- Zero rows: another runner finished it.
UPDATE imports SET status = 'done', done = total, finished_at = UTC_TIMESTAMP(6) WHERE id = :id AND status = 'applying';

-- name: fail -> count
-- One that is being applied never fails: part of it is in the shop.
UPDATE imports SET status = 'failed', result = :result, finished_at = UTC_TIMESTAMP(6) WHERE id = :id AND status IN ('checking', 'waiting', 'running');

-- name: list_leftover_chunks -> rows
-- Plans that nobody needs: their imports are over, or were left before they began.
SELECT DISTINCT c.import_id
  FROM import_chunks c
  JOIN imports i ON i.id = c.import_id
 WHERE i.status IN ('done', 'failed') OR i.status = 'checked' AND i.created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY
 LIMIT 500;

-- name: is_under_way -> value
SELECT 1 FROM imports WHERE status IN ('waiting', 'running', 'applying') LIMIT 1;

-- name: list_stale_files -> rows
-- Files are needed until their import is over, and for some days by those who have not decided.
-- A refused file may be checked again with another number format.
SELECT id, file_path
  FROM imports
 WHERE file_path <> '' AND (status IN ('done', 'failed') OR status IN ('checked', 'refused') AND created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY)
 ORDER BY id
 LIMIT 500;

-- name: forget_file -> count
-- One that nobody started can no longer be.
UPDATE imports SET file_path = '', status = IF(status = 'checked', 'failed', status) WHERE id = :id AND status NOT IN ('waiting', 'running', 'applying', 'checking');

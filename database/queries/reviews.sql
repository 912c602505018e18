-- part: review
-- Whether the author has an order of the product is looked up in the author's own orders: few, whatever the product sells.
SELECT r.id, r.product_id, r.author, r.rating, r.title, r.body, r.status, r.created_at, r.updated_at,
       CAST(UNIX_TIMESTAMP(r.updated_at) * 1000000 AS SIGNED) AS version,
       EXISTS (SELECT 1
                 FROM orders o
                 JOIN order_items i ON i.order_id = o.id
                WHERE o.user_id = r.user_id AND i.product_id = r.product_id AND o.status IN ('placed', 'completed')) AS verified

-- name: list_of_product -> rows
-- A later id is a later review: the order of the indexes. The lowest are read from the other end, so the oldest of them come first.
-- sort newest: r.id DESC AFTER (:after IS NOT NULL AND r.id < :after_id)
-- sort highest: r.rating DESC, r.id DESC AFTER (r.rating < :after OR r.rating = :after AND r.id < :after_id)
-- sort lowest: r.rating, r.id AFTER (r.rating > :after OR r.rating = :after AND r.id > :after_id)
{review}
  FROM reviews r
 WHERE r.product_id = :product_id AND r.status = 'approved' AND (:after_id IS NULL OR {after})
 ORDER BY {sort}
 LIMIT :limit;

-- name: count_by_rating -> rows
SELECT rating, COUNT(*) AS count FROM reviews WHERE product_id = :product_id AND status = 'approved' GROUP BY rating;

-- name: get_of_author -> row
{review}
  FROM reviews r
 WHERE r.product_id = :product_id AND r.user_id = :user_id;

-- name: list_of_author -> rows
{review}
  FROM reviews r
 WHERE r.user_id = :user_id
 ORDER BY r.id
 LIMIT 10000;

-- name: is_listed -> value
SELECT 1 FROM products WHERE id = :product_id AND listed;

-- name: has_bought -> value
SELECT 1
  FROM orders o
  JOIN order_items i ON i.order_id = o.id
 WHERE o.user_id = :user_id AND i.product_id = :product_id AND o.status IN ('placed', 'completed')
 LIMIT 1;

-- name: lock_author -> row
-- Whoever writes a review holds the author's row: two at once become one review, and none comes after an erasure.
SELECT username, first_name FROM users WHERE id = :user_id FOR UPDATE;

-- name: lock_of_author -> row
SELECT id, rating, status FROM reviews WHERE product_id = :product_id AND user_id = :user_id FOR UPDATE;

-- name: lock_all_of_author -> rows
SELECT id, product_id, rating, status FROM reviews WHERE user_id = :user_id ORDER BY product_id LIMIT 10000 FOR UPDATE;

-- name: lock -> row
SELECT id, product_id, rating, status, CAST(UNIX_TIMESTAMP(updated_at) * 1000000 AS SIGNED) AS version FROM reviews WHERE id = :review_id FOR UPDATE;

-- name: add -> id
INSERT INTO reviews (product_id, user_id, author, rating, title, body, created_at, updated_at)
VALUES (:product_id, :user_id, :author, :rating, :title, :body, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: change -> count
-- Other words are to be read again before they are shown.
UPDATE reviews
   SET author = :author, rating = :rating, title = :title, body = :body, status = 'pending', updated_at = UTC_TIMESTAMP(6),
       moderated_at = NULL, moderator_id = NULL
 WHERE id = :review_id;

-- name: delete -> count
DELETE FROM reviews WHERE id = :review_id;

-- name: delete_all_of_author -> count
DELETE FROM reviews WHERE user_id = :user_id;

-- name: decide -> count
UPDATE reviews SET status = :status, moderated_at = UTC_TIMESTAMP(6), moderator_id = :moderator_id, updated_at = UTC_TIMESTAMP(6) WHERE id = :review_id;

-- name: rate -> count
-- The sums are changed, not set: reviews of one product that are decided at once both count.
UPDATE products SET rating_sum = rating_sum + :stars, rating_count = rating_count + :count WHERE id = :product_id;

-- part: wanted
-- Words are looked for in the newest `reach` reviews of the state and no further, so that no search reads all there are.
  FROM (SELECT r.id
          FROM reviews r
         WHERE (:status IS NULL OR r.status = :status) AND (:after_id IS NULL OR r.id < :after_id)
         ORDER BY r.id DESC
         LIMIT :reach) late
  JOIN reviews r ON r.id = late.id
  JOIN products p ON p.id = r.product_id
  JOIN users u ON u.id = r.user_id
 WHERE (:words IS NULL OR p.title LIKE :words ESCAPE '!' OR r.author LIKE :words ESCAPE '!' OR u.username LIKE :words ESCAPE '!'
        OR r.title LIKE :words ESCAPE '!' OR r.body LIKE :words ESCAPE '!')

-- name: list_for_staff -> rows
{review}, p.slug AS product_slug, p.title AS product_title, u.username
{wanted}
 ORDER BY r.id DESC
 LIMIT :limit;

-- name: count_for_staff -> value
SELECT COUNT(*)
{wanted};

-- name: get_for_staff -> row
{review}, p.slug AS product_slug, p.title AS product_title, u.username
  FROM reviews r
  JOIN products p ON p.id = r.product_id
  JOIN users u ON u.id = r.user_id
 WHERE r.id = :review_id;

-- name: list_of -> rows
SELECT product_id, added_at
  FROM wishlist_items
 WHERE user_id = :user_id OR token_hash = :token_hash
 ORDER BY added_at DESC, id DESC
 LIMIT 200;

-- name: list_ids -> rows
-- What is no longer sold waits, unseen: it may come back.
SELECT w.product_id
  FROM wishlist_items w
  JOIN products p ON p.id = w.product_id AND p.listed
 WHERE w.user_id = :user_id OR w.token_hash = :token_hash
 LIMIT 200;

-- name: lock_all -> rows
-- Whoever adds holds all that is there, so that the list is never longer than it may be.
SELECT product_id FROM wishlist_items WHERE user_id = :user_id OR token_hash = :token_hash ORDER BY id LIMIT 200 FOR UPDATE;

-- name: add -> id
INSERT INTO wishlist_items (user_id, token_hash, product_id, added_at)
VALUES (:user_id, :token_hash, :product_id, UTC_TIMESTAMP(6));

-- name: remove -> count
DELETE FROM wishlist_items WHERE (user_id = :user_id OR token_hash = :token_hash) AND product_id = :product_id;

-- name: take_over -> count
-- The guest's latest wishes come along, as many as there is room for.
INSERT INTO wishlist_items (user_id, product_id, added_at)
SELECT :user_id, g.product_id, g.added_at
  FROM wishlist_items g
 WHERE g.token_hash = :token_hash
   AND NOT EXISTS (SELECT 1 FROM wishlist_items w WHERE w.user_id = :user_id AND w.product_id = g.product_id)
 ORDER BY g.added_at DESC, g.id DESC
 LIMIT :room;

-- name: delete_guest -> count
DELETE FROM wishlist_items WHERE token_hash = :token_hash;

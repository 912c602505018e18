-- name: mark -> id
INSERT INTO product_changes (product_id, changed_at) VALUES (:product_id, UTC_TIMESTAMP(6));

-- name: delete_mails -> count
-- Mails of orders stay as long as their orders: that they were confirmed is a part of the books.
DELETE FROM mails
 WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY AND status <> 'queued' AND order_id IS NULL AND invoice_id IS NULL
 ORDER BY created_at
 LIMIT :limit;

-- name: delete_contact_messages -> count
-- With their answers; pictures that belong to none any more are deleted by a job of their own. What nobody answered yet stays.
DELETE FROM contact_messages WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY AND status = 'done' ORDER BY created_at LIMIT :limit;

-- name: delete_guest_carts -> count
DELETE FROM carts WHERE user_id IS NULL AND updated_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY updated_at LIMIT :limit;

-- name: delete_guest_wishes -> count
DELETE FROM wishlist_items WHERE user_id IS NULL AND added_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY added_at LIMIT :limit;

-- name: delete_keys -> count
DELETE FROM idempotency_keys WHERE created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY ORDER BY created_at LIMIT :limit;

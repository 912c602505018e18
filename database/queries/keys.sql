-- name: get -> row
SELECT body_hash, result_id FROM idempotency_keys WHERE scope = :scope AND request_key = :request_key;

-- name: add -> count
INSERT INTO idempotency_keys (scope, request_key, body_hash, result_id, created_at)
VALUES (:scope, :request_key, :body_hash, :result_id, UTC_TIMESTAMP(6));

-- name: add -> id
INSERT INTO mails (message_id, template, recipient, data, order_id, user_id, invoice_id, created_at, due_at)
VALUES (:message_id, :template, :recipient, :data, :order_id, :user_id, :invoice_id, UTC_TIMESTAMP(6), UTC_TIMESTAMP(6));

-- name: list_due -> rows
SELECT id
  FROM mails
 WHERE status = 'queued' AND due_at <= UTC_TIMESTAMP(6)
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6))
 ORDER BY due_at, id
 LIMIT :most;

-- name: lease -> count
-- Zero rows: another worker has it. A lease of a worker that died ends by itself, and the mail goes out under the same Message-ID.
UPDATE mails
   SET leased_until = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND, attempts = attempts + 1
 WHERE id = :id AND status = 'queued' AND due_at <= UTC_TIMESTAMP(6)
   AND (leased_until IS NULL OR leased_until <= UTC_TIMESTAMP(6));

-- name: get -> row
SELECT m.id, m.message_id, m.template, m.recipient, m.data, m.attempts, m.created_at, m.created_at < UTC_TIMESTAMP(6) - INTERVAL :days DAY AS last_chance,
       d.document, REPLACE(d.kind, '_', '-') AS document_kind, d.number AS document_number
  FROM mails m
  LEFT JOIN invoices d ON d.id = m.invoice_id
 WHERE m.id = :id;

-- name: note_sent -> count
-- What it said is erased: it may have held a code. Of the last mail to somebody who was erased nor is kept to whom it went.
UPDATE mails
   SET recipient = IF(template = 'erased', '', recipient), status = 'sent', sent_at = UTC_TIMESTAMP(6), data = '', leased_until = NULL, last_error = ''
 WHERE id = :id AND status = 'queued';

-- name: put_off -> count
-- A mail that is given up tells of somebody who was erased no more than a sent one.
UPDATE mails
   SET recipient = IF(:status = 'failed' AND template = 'erased', '', recipient), data = IF(:status = 'failed' AND template = 'erased', '', data),
       last_error = IF(:status = 'failed' AND template = 'erased', '', :error), status = :status, leased_until = NULL, due_at = UTC_TIMESTAMP(6) + INTERVAL :seconds SECOND
 WHERE id = :id AND status = 'queued';

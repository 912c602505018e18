-- part: status
       CASE WHEN g.replaced_by IS NOT NULL THEN 'replaced'
            WHEN g.voided_at IS NOT NULL THEN 'voided'
            WHEN g.balance_minor = 0 THEN 'empty'
            WHEN g.expires_at <= UTC_TIMESTAMP(6) THEN 'expired'
            ELSE 'active' END

-- part: columns
SELECT g.id, g.last_letters, g.currency, g.initial_minor, g.balance_minor, g.expires_at, g.voided_at, g.created_at, o.number AS order_number,
       COALESCE(NULLIF(g.email, ''), o.email, '') AS email, n.last_letters AS replaced_by, {status} AS status

-- part: joins
  LEFT JOIN order_items i ON i.id = g.order_item_id
  LEFT JOIN orders o ON o.id = i.order_id
  LEFT JOIN gift_cards n ON n.id = g.replaced_by

-- part: wanted
-- What is looked for is the end of a code, the beginning of an address, or that of the number of the order which bought the card.
 WHERE (:status IS NULL OR {status} = :status)
   AND (:letters IS NULL
        OR g.last_letters = :letters
        OR g.email LIKE :email ESCAPE '!'
        OR g.order_item_id IN (SELECT i.id FROM orders o JOIN order_items i ON i.order_id = o.id
                                WHERE i.gift_card AND (o.number LIKE :number ESCAPE '!' OR o.email LIKE :email ESCAPE '!')))

-- name: find -> row
-- A card that can be spent now. What is wrong, empty, expired or voided is all alike: not there.
SELECT id, last_letters, currency, balance_minor, expires_at
  FROM gift_cards
 WHERE code_hash = :code_hash AND balance_minor > 0 AND voided_at IS NULL AND (expires_at IS NULL OR expires_at > UTC_TIMESTAMP(6));

-- name: find_product -> row
SELECT id, slug, title, price_minor, price_max_minor FROM products WHERE gift_card = TRUE AND listed = TRUE ORDER BY id LIMIT 1;

-- name: spend -> count
-- Zero rows: another order was quicker, or the card ended meanwhile.
UPDATE gift_cards
   SET balance_minor = balance_minor - :amount_minor
 WHERE id = :gift_card_id AND balance_minor >= :amount_minor AND voided_at IS NULL AND (expires_at IS NULL OR expires_at > UTC_TIMESTAMP(6));

-- name: note -> id
INSERT INTO gift_card_movements (gift_card_id, amount_minor, reason, order_id, refund_id, actor_id, note, at)
VALUES (:gift_card_id, :amount_minor, :reason, :order_id, :refund_id, :actor_id, :note, UTC_TIMESTAMP(6));

-- name: lock_spent -> row
-- The card that an order was paid with. Its row is held while what is left of that payment is reckoned.
SELECT g.id, g.replaced_by
  FROM gift_cards g
 WHERE g.id = (SELECT m.gift_card_id FROM gift_card_movements m WHERE m.order_id = :order_id AND m.reason = 'spent' LIMIT 1)
   FOR UPDATE;

-- name: get_spent -> value
-- What the order holds of the card by now: spent, less what was given back.
SELECT CAST(COALESCE(-SUM(amount_minor), 0) AS SIGNED)
  FROM gift_card_movements
 WHERE order_id = :order_id AND reason IN ('spent', 'released', 'refunded');

-- name: give_back -> count
-- Money that comes back can be spent for some time, however old the card is.
UPDATE gift_cards
   SET balance_minor = balance_minor + :amount_minor, expires_at = GREATEST(expires_at, UTC_TIMESTAMP(6) + INTERVAL :days DAY)
 WHERE id = :gift_card_id;

-- name: list_bought -> rows
-- The lines of an order that are gift cards, as long as none was issued for them.
SELECT i.id, i.quantity, i.price_minor
  FROM order_items i
 WHERE i.order_id = :order_id AND i.gift_card AND i.price_minor > 0
   AND NOT EXISTS (SELECT 1 FROM gift_cards g WHERE g.order_item_id = i.id)
 ORDER BY i.position
 LIMIT 100;

-- name: add_all -> count
-- All cards of an order in one round trip.
INSERT INTO gift_cards (code_hash, last_letters, currency, initial_minor, balance_minor, order_item_id, expires_at, created_at)
SELECT c.code_hash, c.last_letters, :currency, c.amount_minor, c.amount_minor, c.order_item_id, UTC_TIMESTAMP(6) + INTERVAL :years YEAR, UTC_TIMESTAMP(6)
  FROM JSON_TABLE(:cards, '$[*]' COLUMNS (code_hash CHAR(64) PATH '$.code_hash',
                                          last_letters CHAR(4) PATH '$.last_letters',
                                          amount_minor BIGINT PATH '$.amount_minor',
                                          order_item_id BIGINT UNSIGNED PATH '$.order_item_id')) c;

-- name: note_issued -> count
INSERT INTO gift_card_movements (gift_card_id, amount_minor, reason, order_id, at)
SELECT g.id, g.initial_minor, 'issued', i.order_id, UTC_TIMESTAMP(6)
  FROM gift_cards g
  JOIN order_items i ON i.id = g.order_item_id
 WHERE i.order_id = :order_id AND NOT EXISTS (SELECT 1 FROM gift_card_movements m WHERE m.gift_card_id = g.id);

-- name: add -> id
INSERT INTO gift_cards (code_hash, last_letters, currency, initial_minor, balance_minor, email, expires_at, created_at)
VALUES (:code_hash, :last_letters, :currency, :amount_minor, :amount_minor, :email, UTC_TIMESTAMP(6) + INTERVAL :years YEAR, UTC_TIMESTAMP(6));

-- name: add_replacement -> id
-- The same card under another code: what was once put on it, who bought it and its end stay, so that refunds find it as they would have.
INSERT INTO gift_cards (code_hash, last_letters, currency, initial_minor, balance_minor, order_item_id, email, expires_at, created_at)
SELECT :code_hash, :last_letters, currency, initial_minor, balance_minor, order_item_id, :email, expires_at, UTC_TIMESTAMP(6)
  FROM gift_cards
 WHERE id = :gift_card_id;

-- name: replace -> count
UPDATE gift_cards SET balance_minor = 0, voided_at = COALESCE(voided_at, UTC_TIMESTAMP(6)), replaced_by = :replaced_by WHERE id = :gift_card_id;

-- name: get_end -> value
SELECT UTC_TIMESTAMP(6) + INTERVAL :years YEAR;

-- name: list_whole -> rows
-- The cards of an order's line that nobody has spent anything of, held until it is decided which of them end.
SELECT id, balance_minor
  FROM gift_cards
 WHERE order_item_id = :order_item_id AND voided_at IS NULL AND balance_minor = initial_minor
 ORDER BY id
 LIMIT :most
   FOR UPDATE;

-- name: lock -> row
SELECT g.id, g.last_letters, g.balance_minor, g.currency, g.expires_at, g.replaced_by, {status} AS status FROM gift_cards g WHERE g.id = :gift_card_id FOR UPDATE;

-- name: void -> count
UPDATE gift_cards SET balance_minor = 0, voided_at = UTC_TIMESTAMP(6) WHERE id IN (:gift_card_ids) AND voided_at IS NULL;

-- name: get -> row
{columns}
  FROM gift_cards g
{joins}
 WHERE g.id = :gift_card_id;

-- name: list_all -> rows
-- The page is cut first; only its rows are then dressed.
-- sort created: g.created_at DESC, g.id DESC AFTER (g.created_at < :after OR g.created_at = :after AND g.id < :after_id)
-- sort created_asc: g.created_at, g.id AFTER (g.created_at > :after OR g.created_at = :after AND g.id > :after_id)
-- sort balance: g.balance_minor, g.id AFTER (g.balance_minor > :after OR g.balance_minor = :after AND g.id > :after_id)
-- sort balance_desc: g.balance_minor DESC, g.id DESC AFTER (g.balance_minor < :after OR g.balance_minor = :after AND g.id < :after_id)
{columns}
  FROM (SELECT g.id
          FROM gift_cards g
         {wanted}
           AND (:after_id IS NULL OR {after})
         ORDER BY {sort}
         LIMIT :limit) page
  JOIN gift_cards g ON g.id = page.id
{joins}
 ORDER BY {sort};

-- name: count_all -> value
SELECT COUNT(*)
  FROM gift_cards g
{wanted};

-- name: list_movements -> rows
SELECT m.id, m.at, m.amount_minor, m.reason, m.note, o.number AS order_number, u.username AS actor
  FROM gift_card_movements m
  LEFT JOIN orders o ON o.id = m.order_id
  LEFT JOIN users u ON u.id = m.actor_id
 WHERE m.gift_card_id = :gift_card_id
 ORDER BY m.id DESC
 LIMIT 200;

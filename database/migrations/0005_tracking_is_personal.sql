-- Tracking numbers lead to the name and the address of whoever got the parcel.

-- step: data
-- A change of comments, which may be repeated.
ALTER TABLE shipments
    MODIFY tracking_number VARCHAR(80)  NOT NULL DEFAULT '' COMMENT 'erase',
    MODIFY tracking_url    VARCHAR(500) NOT NULL DEFAULT '' COMMENT 'erase';

-- step: data
-- Of the people who were erased before.
UPDATE shipments s
  JOIN orders o ON o.id = s.order_id AND o.email = '' AND o.name = 'erased'
   SET s.tracking_number = '', s.tracking_url = ''
 WHERE s.tracking_number <> '' OR s.tracking_url <> '';

// What an OpenAPI document says about bodies and answers, in words, as a list of fields and as an example.

/** Values that look like the real thing, by the name of the field, or of its schema and itself. */
const EXAMPLES = {
  "CategoryName.name": "Mugs", "CategoryCount.name": "Mugs", "Category.name": "Mugs", "Country.name": "Belgium", "Country.code": "BE", "Shop.name": "Marlow’s", "Setup.name": "Marlow’s",
  "ShippingMethod.name": "Standard delivery", "PaymentMethod.name": "Cash on delivery", "PaymentMethod.code": "cash_on_delivery", "Payment.name": "Cash on delivery", "Option.name": "Colour", "Category.slug": "mugs",
  "CategoryName.slug": "mugs", "CategoryCount.slug": "mugs", "Requirement.code": "address_needed", "Requirement.message": "Enter the address.",
  "OrderItem.options": "Colour: Moss", "Payment.status": "unpaid", instructions: "Please have €23.90 ready when the parcel arrives.", value: "Moss", weight_g: 380, barcode: "4012345678901", label: "Home", level: "bronze",
  username: "ada", email: "ada@example.com", identifier: "ada", password: "four uncommon words here", new_password: "four uncommon words here", otp: "493027", challenge: "q3Jx…",
  name: "Ada Marlow", line1: "12 Orchard Lane", city: "Ghent", postcode: "9000", country: "BE", phone: "+32 9 123 45 67", first_name: "Ada", last_name: "Marlow", role: "customer",
  slug: "moss-mug", title: "Moss Mug", sku: "MUG-MOSS", brand: "Hollow & Hearth", description: "A mug for large coffees.", src: "/media/mug.svg", alt: "A green mug", width: 800, height: 800,
  number: "FC-7KQ2MXA4", status: "placed", payment_status: "unpaid", fulfilment_status: "unfulfilled", currency: "EUR", shipping_method: "standard", shipping_name: "Standard delivery",
  payment_method: "cash_on_delivery", method: "cash_on_delivery", token: "kT9…", code: "standard", quantity: 1, count: 1, total: 1, id: 7, variant_id: 12, product_id: 7, stock: 24, version: 3,
  days: "2–4", note: "", q: "mug", sort: "newest", step: "goods", text: "1 item", kind: "placed", line2: "", region: "", next: null, tag: "stoneware", notice: "Only 3 are left.",
};
/** The same for amounts; every other one is 1900. */
const MINOR = { "OrderItem.tax_minor": 317, "ShippingMethod.price_minor": 490, compare_at_minor: 2400, shipping_minor: 490, discount_minor: 0, gift_card_minor: 0, tax_minor: 398, total_minor: 2390, due_minor: 2390, expected_due_minor: 2390 };
const DEEPEST = 5;
const UNBOUNDED = 10 ** 9; // Above it a limit is the database’s, and nothing for a reader to mind.

/** @param {object} schemas components.schemas of the document */
export function schemaReader(schemas) {
  const nameOf = (schema) => schema?.$ref?.split("/").pop();

  /** The schema itself, and whether null will do as well. */
  function plain(schema) {
    const choices = schema.anyOf ?? schema.oneOf ?? [schema];
    const real = choices.filter((one) => one.type !== "null");
    const inner = real.length === 1 ? real[0] : { anyOf: real };
    const name = nameOf(inner);
    return { ...schema, anyOf: undefined, ...inner, ...(name && schemas[name]), name, nullable: real.length < choices.length };
  }

  function words(schema) {
    const one = plain(schema);
    const orNull = one.nullable ? " or null" : "";
    if (one.anyOf) return one.anyOf.map(words).join(" or ") + orNull;
    if (one.enum) return "one of these" + orNull;
    if (one.type === "array") return `list of ${one.items ? words(one.items) : "anything"}${orNull}`;
    if (one.type === "object" || one.properties) return (one.name ?? (one.additionalProperties?.type ? `object of ${words(one.additionalProperties)}` : "object")) + orNull;
    const type = one.format === "date-time" ? "time" : { string: "text", integer: "whole number", number: "number", boolean: "true or false" }[one.type];
    return (type ?? "anything") + orNull;
  }

  function range(low, high, unit) {
    if (high > UNBOUNDED) return range(low, undefined, unit);
    if (low === undefined && high === undefined) return "";
    if (low === undefined || low === 0 && unit) return `at most ${high}${unit}`;
    return high === undefined ? `at least ${low}${unit}` : `${low} to ${high}${unit}`;
  }

  function rules(schema) {
    const one = plain(schema);
    return [
      range(one.minLength, one.maxLength, " characters"),
      range(one.minimum, one.maximum, ""),
      one.enum ? one.enum.filter((value) => value !== "").join(", ") : "",
      one.default !== undefined && one.default !== null && one.default !== "" ? `${one.default} if left out` : "",
    ].filter(Boolean).join("; ");
  }

  /** Every field of an object with those inside it, as "address.city" and "items[].title". */
  function fields(schema, prefix = "", path = []) {
    const one = plain(schema);
    if (one.type === "array" && one.items) return fields(one.items, `${prefix.replace(/\.$/, "")}[].`, path);
    if (!one.properties || path.includes(one.name) || path.length > DEEPEST) return [];
    return Object.entries(one.properties).flatMap(([name, inner]) => [
      { name: prefix + name, required: one.required?.includes(name) ?? false, type: words(inner), rules: rules(inner), about: inner.description ?? "" },
      ...fields(inner, `${prefix}${name}.`, [...path, one.name]),
    ]);
  }

  function example(schema, name = "", path = []) {
    const one = plain(schema);
    if (path.length > DEEPEST || (one.name && path.includes(one.name))) return null;
    const inside = [...path, one.name];
    if (one.type === "array") return one.items ? [example(one.items, name.replace(/s$/, ""), inside)].filter((value) => value !== null) : [];
    if (one.properties) return objectOf(one, inside);
    if (one.type === "object") return one.additionalProperties?.type === "string" ? { Colour: "Moss" } : {};
    const owner = path.at(-1);
    if (name.endsWith("_minor")) return MINOR[`${owner}.${name}`] ?? MINOR[name] ?? (one.nullable ? null : 1900);
    const known = EXAMPLES[`${owner}.${name}`] ?? EXAMPLES[name];
    if (known !== undefined && fits(known, one)) return known;
    if (one.nullable) return null;
    if (one.enum) return one.enum.find(Boolean) ?? one.enum[0];
    if (one.default !== undefined) return one.default;
    if (one.format === "date-time") return "2026-03-14T09:30:00Z";
    return { integer: one.minimum ?? 1, number: 1, boolean: true }[one.type] ?? "…";
  }

  /** What need not be sent and has nothing to say is left out. */
  const objectOf = ({ properties, required = [], additionalProperties: open }, path) => Object.fromEntries(Object.entries(properties)
    .map(([key, inner]) => [key, example(inner, key, path)])
    .filter(([key, value]) => open !== false || required.includes(key) || (value !== null && value !== "")));

  const fits = (value, { type, nullable, enum: allowed, maxLength = Infinity }) => (value === null ? nullable
    : ({ integer: "number" }[type] ?? type) === typeof value && (!allowed || allowed.includes(value)) && String(value).length <= maxLength);

  return { words, rules, fields, example };
}

// Pictures that somebody chose from their own machine.

/** What the shop takes. */
export const PICTURE_TYPES = ["image/jpeg", "image/png", "image/webp"];
const MOST_BYTES = 5 * 1024 * 1024;

/** Why the shop would refuse this file; empty for a good one. @param {File} file */
export function complaintAboutPicture({ name, size, type }) {
  if (!PICTURE_TYPES.includes(type)) return `${name} is no JPEG, PNG or WebP.`;
  return size > MOST_BYTES ? `${name} has more than 5 MB.` : "";
}

/** The file as an address: the policy of the pages allows pictures of our own and data: addresses, but no blob: ones. @param {File} file @returns {Promise<string>} */
export const asData = (file) => new Promise((read) => {
  const reader = new FileReader();
  reader.addEventListener("load", () => read(reader.result));
  reader.addEventListener("error", () => read(""));
  reader.readAsDataURL(file);
});

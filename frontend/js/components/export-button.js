// A button that hands over a table's rows as a file made by the shop, with the filters that are in use.
import { api } from "../lib/api.js";
import { proved } from "./password-dialog.js";
import { saveFile } from "./saving.js";
import { dealtWith } from "./staff.js";
import { toast } from "./toast-stack.js";

/** @param {string} name of the file, such as orders.csv @param {() => object} filters those that the export knows */
export function offerExport(name, filters) {
  document.querySelector("[data-export]").addEventListener("click", async ({ currentTarget: button }) => {
    button.ariaBusy = "true";
    try {
      const text = await proved(() => api.get(`/admin/exports/${name}`, { params: filters(), download: true }));
      if (text !== null) saveFile(name, text, "text/csv");
    } catch (error) {
      if (error.status === undefined) throw error;
      if (!dealtWith(error)) toast(error.message, { seconds: 12 });
    } finally {
      button.ariaBusy = null;
    }
  });
}

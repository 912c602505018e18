import { api, nextAddress } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { carryNext } from "../components/entrance.js";
import { keepSent } from "../components/mailed-code.js";

const form = document.querySelector("[data-form]");

form.elements.email.value ||= new URLSearchParams(location.search).get("email") ?? sessionStorage.getItem("forgot-email") ?? "";

handle(form, {
  send: (values) => api.post("/auth/forgot", values),
  done: ({ challenge }, { email }) => {
    sessionStorage.removeItem("forgot-email");
    keepSent("reset", { challenge, email, next: nextAddress("") });
    location.assign("/reset-password");
  },
});
carryNext();

import { api, nextAddress } from "../lib/api.js";
import { handle } from "../lib/form.js";
import { carryNext, leaveWhenSignedIn } from "../components/entrance.js";
import { keepSent } from "../components/mailed-code.js";
import "../components/password-field.js";

const form = document.querySelector("[data-form]");

form.elements.email.value ||= sessionStorage.getItem("register-email") ?? ""; // of the order that a guest has just placed

handle(form, {
  send: (values) => api.post("/auth/register", values),
  done: ({ challenge }, { email }) => {
    keepSent("register", { challenge, email, next: nextAddress("") });
    location.assign("/verify");
  },
});
carryNext();
leaveWhenSignedIn();

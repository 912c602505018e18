import { api, session, signInAddress } from "../lib/api.js";
import { append, html, icon, render } from "../lib/html.js";
import { date, number, plural } from "../lib/format.js";
import { handle } from "../lib/form.js";
import { failedPart, loadInto } from "./states.js";
import { stars } from "./stars.js";

const SORTS = [["newest", "Newest first"], ["highest", "Best first"], ["lowest", "Most critical first"]];
const AFTERWARDS = {
  pending: "Your review is with us. It is shown here once we have read it.",
  approved: "Your review is shown here. If you change it, we read it again first.",
  rejected: "We could not show your review as it is. You are welcome to change it.",
};

// ---- markup

const verified = html`<span class="review__verified">${icon("check")}Bought here</span>`;

const review = (one) => html`<li class="review">
  <div class="review__head">${stars(one.rating)}<h3 class="review__title">${one.title}</h3></div>
  <p class="review__body">${one.body}</p>
  <p class="review__author">${one.author}${one.verified && verified}<time datetime="${one.created_at}">${date(one.created_at)}</time></p>
</li>`;

/** How many gave how many stars; the bars are for the eye, the numbers beside them for everybody. */
const histogram = ({ histogram: counts, total }) => html`<ul class="histogram" aria-label="How the stars are spread">${[5, 4, 3, 2, 1].map((rated) => html`<li class="histogram__row">
  <span class="histogram__stars"><span aria-hidden="true">${rated}${icon("star-filled")}</span><span class="visually-hidden">${plural(rated, "star")}: </span></span>
  <svg class="histogram__bar" aria-hidden="true"><rect class="histogram__all" width="100%" height="100%"/><rect class="histogram__part" width="${(counts[rated] / (total || 1)) * 100}%" height="100%"/></svg>
  <span class="histogram__count">${number(counts[rated])}</span>
</li>`)}</ul>`;

const summary = (list) => (list.total
  ? html`<div class="reviews__score"><p class="reviews__rating">${list.rating.toFixed(1)}</p><div>${stars(list.rating)}<p class="small soft">${plural(list.total, "review")}</p></div></div>${histogram(list)}`
  : html`<p class="soft">Nobody has reviewed this yet.</p>`);

const choice = (rated) => html`<label class="rate"><input class="rate__input" type="radio" id="rate-${rated}" name="rating" value="${rated}" required data-missing="Choose from one to five stars.">
  ${icon("star")}${icon("star-filled")}<span class="visually-hidden">${plural(rated, "star")}</span></label>`;

const form = (title, mine) => html`<form class="review-form panel" method="post" novalidate data-review-form aria-labelledby="review-form-title">
  <h3 id="review-form-title">${mine ? "Change your review" : `How is ${title}?`}</h3>
  <fieldset class="rates"><legend class="field__label">Your stars</legend><div class="rates__row">${[1, 2, 3, 4, 5].map(choice)}</div></fieldset>
  <div class="field"><label class="field__label" for="review-title">In a few words</label>
    <input class="field__input" id="review-title" name="title" required maxlength="120" autocomplete="off" value="${mine?.title}" data-missing="Say it in a few words."></div>
  <div class="field"><label class="field__label" for="review-body">Your review</label>
    <textarea class="field__input" id="review-body" name="body" required maxlength="4000" rows="5" aria-describedby="review-hint" data-missing="Write what you think of it.">${mine?.body}</textarea>
    <p class="field__hint" id="review-hint">What is it like to use? What should others know before they buy?</p></div>
  <div class="field"><label class="field__label" for="review-author">Name to show <span class="field__optional">(optional)</span></label>
    <input class="field__input" id="review-author" name="author" maxlength="80" autocomplete="nickname" value="${mine?.author}" aria-describedby="author-hint">
    <p class="field__hint" id="author-hint">Left empty, your first name or your username stands there.</p></div>
  <div class="cluster"><button class="button" type="submit">${mine ? "Save the change" : "Send the review"}</button><button class="button button--plain" type="button" data-cancel>Cancel</button></div>
</form>`;

const own = (mine) => html`<div class="panel panel--sunken stack stack--tight">
  <p class="small">${AFTERWARDS[mine.status]}</p>
  ${mine.status !== "approved" && html`<div>${stars(mine.rating)}<p class="strong">${mine.title}</p></div>`}
  <p class="cluster small"><button class="link-button" type="button" data-write>Change it</button><button class="link-button link-button--quiet" type="button" data-withdraw>Take it back</button></p>
</div>`;

function invitation({ mine, may_review: may }, user) {
  if (mine) return own(mine);
  if (may) return html`<button class="button button--quiet button--wide" type="button" data-write>${icon("edit")}Write a review</button>`;
  if (user) return html`<p class="small soft">Reviews come from those who bought this here.</p>`;
  return html`<p class="small soft">Did you buy this here? <a href="${signInAddress(`${location.pathname}#reviews`)}">Sign in</a> and tell others about it.</p>`;
}

const whole = html`<div class="reviews__side"><div class="stack" data-summary></div><div data-own></div></div>
<div class="reviews__main">
  <div role="status" data-thanks></div>
  <div data-form></div>
  <div data-list></div>
</div>`;

const list = (found, sort) => html`${found.total > 1 && html`<div class="reviews__bar"><label class="visually-hidden" for="review-sort">Sort the reviews</label><span class="select"><select class="field__input" id="review-sort">${SORTS.map(([value, words]) => html`<option value="${value}" ${value === sort && html`selected`}>${words}</option>`)}</select>${icon("chevron-down")}</span></div>`}
  <ul class="reviews__list" data-reviews-list>${found.items.map(review)}</ul><div class="reviews__more" data-more-reviews></div>`;

const skeleton = html`<div class="reviews__side" aria-hidden="true"><div class="skeleton skeleton--title"></div><div class="skeleton skeleton--row"></div></div>
<div class="reviews__main stack" aria-hidden="true"><div class="skeleton skeleton--row"></div><div class="skeleton skeleton--row"></div></div>`;

// ---- behaviour

/** The reviews of a product, and what the visitor may do: read on, sort, write, change and take back. */
class Reviews {
  #sort = "newest";

  constructor(place, product) {
    this.place = place;
    this.product = product;
    place.addEventListener("click", ({ target }) => {
      if (target.closest("[data-write]")) this.#write();
      if (target.closest("[data-withdraw]")) this.#withdraw(target.closest("[data-withdraw]"));
    });
    place.addEventListener("change", ({ target }) => { if (target.id === "review-sort") this.#resort(target.value); });
  }

  #part(name) { return this.place.querySelector(`[data-${name}]`); }

  #ask(more = {}) { return api.get(`/products/${this.product.id}/reviews`, { params: { sort: this.#sort, ...more } }); }

  load() {
    return loadInto(this.place, {
      load: () => Promise.all([this.#ask(), session().catch(() => ({ user: null }))]),
      show: ([found, { user }]) => this.#show(found, user),
      skeleton,
      failed: (error) => failedPart(error, "The reviews could not be loaded"),
    });
  }

  #show(found, user) {
    this.mine = found.mine;
    render(this.place, whole);
    render(this.#part("summary"), summary(found));
    render(this.#part("own"), invitation(found, user));
    this.#showList(found);
    // Whoever had to sign in while writing finds the form open again, with what was typed.
    if (found.may_review && sessionStorage.getItem(`kept:${location.pathname}`)) this.#write();
  }

  #showList(found) {
    render(this.#part("list"), list(found, this.#sort));
    this.#showMore(found.next);
  }

  #showMore(next) {
    const more = this.#part("more-reviews");
    render(more, html`${next && html`<button class="button button--quiet" type="button">Show more reviews</button>`}`);
    more.querySelector("button")?.addEventListener("click", ({ currentTarget }) => this.#readOn(next, currentTarget));
  }

  async #readOn(after, button) {
    if (button.ariaBusy === "true") return;
    button.ariaBusy = "true";
    try {
      const found = await this.#ask({ after });
      const first = append(this.#part("reviews-list"), html`${found.items.map(review)}`);
      first.tabIndex = -1;
      first.focus({ preventScroll: true });
      this.#showMore(found.next);
    } catch (error) {
      if (error.status === undefined) throw error;
      const more = this.#part("more-reviews");
      render(more, failedPart(error, "The next reviews could not be loaded"));
      more.querySelector("[data-retry]").addEventListener("click", ({ currentTarget }) => this.#readOn(after, currentTarget));
    }
  }

  async #resort(sort) {
    this.#sort = sort;
    await loadInto(this.#part("list"), {
      load: () => this.#ask(),
      show: (found) => { this.#showList(found); this.place.querySelector("#review-sort")?.focus(); },
      failed: (error) => failedPart(error, "The reviews could not be sorted"),
    });
  }

  #write() {
    const place = this.#part("form");
    if (place.childElementCount) return place.querySelector("input").focus();
    render(place, form(this.product.title, this.mine));
    const made = place.querySelector("form");
    if (this.mine) made.elements.rating.value = String(this.mine.rating);
    made.querySelector("[data-cancel]").addEventListener("click", () => this.#close());
    handle(made, {
      send: (values) => api.post(`/products/${this.product.id}/reviews`, { ...values, rating: Number(values.rating) }),
      done: () => this.#again("Thank you. Your review is shown once we have read it."),
    });
    (made.querySelector(":checked") ?? made.elements.rating[0]).focus({ preventScroll: true });
    made.scrollIntoView({ block: "nearest" });
  }

  #close() {
    render(this.#part("form"), html``);
    this.#part("write")?.focus();
  }

  async #again(words) {
    await this.load();
    const thanks = this.#part("thanks");
    if (!thanks) return;
    render(thanks, html`<p class="alert" tabindex="-1">${icon("check")}<span class="alert__text">${words}</span></p>`);
    thanks.firstElementChild.focus();
  }

  async #withdraw(button) {
    if (button.ariaBusy === "true") return;
    const { ask } = await import("./ask-dialog.js");
    if (!await ask({ title: "Take your review back?", text: "It is deleted, words and stars.", action: "Take it back", danger: true })) return;
    button.ariaBusy = "true";
    try {
      await api.delete(`/products/${this.product.id}/reviews/mine`);
      await this.#again("Your review was taken back.");
    } catch (error) {
      if (error.status === undefined) throw error;
      render(this.#part("thanks"), html`<p class="alert alert--warning">${icon("warning")}<span class="alert__text">${error.message}</span></p>`);
      button.ariaBusy = null;
    }
  }
}

/** Show the reviews of a product. @param {Element} place @param {{id: number, title: string}} product */
export const showReviews = (place, product) => new Reviews(place, product).load();

// Runs before the first paint, so that a filtered list never shows the shop window first and then jumps.
document.documentElement.dataset.view = /[?&](q|category|price_min|price_max|in_stock|sort)=[^&]/.test(location.search) ? "list" : "home";

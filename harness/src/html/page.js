'use strict';
// The page: viewers come to life when they come near, links go to records, the colours can be turned over.

const viewers = new Map();

function wake(place) {
  if (!viewers.has(place)) viewers.set(place, new Viewer(place));
  return viewers.get(place);
}

const near = new IntersectionObserver((seen) => {
  for (const { isIntersecting, target } of seen) {
    if (!isIntersecting) continue;
    near.unobserve(target);
    wake(target);
  }
}, { rootMargin: '600px' });

document.querySelectorAll('.viewer').forEach((place) => near.observe(place));

// "See it": to a run and a record of the scenario's viewer.
document.addEventListener('click', (event) => {
  const to = event.target.closest('[data-run]');
  if (!to) return;
  const place = document.getElementById(to.dataset.viewer);
  wake(place).open(Number(to.dataset.run), Number(to.dataset.record)).then((viewer) => viewer?.focus());
  place.scrollIntoView({ block: 'start' });
});

// Where nothing has the focus, the arrows step through the run that is in view.
document.addEventListener('keydown', (event) => {
  if (event.target !== document.body || !['ArrowLeft', 'ArrowRight'].includes(event.key)) return;
  const inView = ({ body }) => {
    const { top, bottom } = body.getBoundingClientRect();
    return top < innerHeight * 0.7 && bottom > innerHeight * 0.3;
  };
  [...viewers.values()].find(inView)?.key(event);
});

// A large run takes a while to unpack: when the page is printed it has to be there.
const places = document.querySelectorAll('.viewer');
if (places.length === 1) (window.requestIdleCallback ?? setTimeout)(() => wake(places[0]));

const root = document.documentElement;
document.getElementById('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = dark ? 'light' : 'dark';
  redraw();
});

function redraw() {
  for (const { timeline, rate } of viewers.values()) {
    timeline?.paint(); // and with it the curve
    rate?.draw();
  }
}

matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
matchMedia('print').addEventListener('change', redraw);
addEventListener('beforeprint', () => {
  document.querySelectorAll('.viewer').forEach(wake);
  for (const more of document.querySelectorAll('details.claim-more:not([open])')) {
    more.open = true;
    addEventListener('afterprint', () => { more.open = false; }, { once: true });
  }
  redraw();
});


(() => {
  "use strict";
  const root = document.getElementById("pictures");
  const one = (what) => root.querySelector(what);
  const [clip, frame, left, right, size] = ["clip", "frame", "left", "right", "size"].map((n) => one(`[name=${n}]`));
  const [viewer, stage, pair, under, over] = [".viewer", ".stage", ".pair", ".under", ".over"].map(one);
  const range = one("[type=range]");
  const wanted = {}; // what a reader chose, and keeps from clip to clip
  const clips = [...root.querySelectorAll("[data-clip]")].map((box) => ({
    name: box.dataset.clip,
    figures: [...box.querySelectorAll("figure")].map((figure) => ({
      ...figure.dataset, image: figure.querySelector("img"), caption: figure.querySelector("figcaption"),
    })),
  }));

  const fill = (select, options, value) => {
    select.replaceChildren(...options.map(([key, text]) => new Option(text, key, false, key === value)));
    select.closest("label").hidden = options.length < 2;
  };
  const current = () => clips[clip.value].figures;
  const here = () => current().filter((figure) => figure.frame === frame.value);
  const first = (side) => current().find((figure) => figure.side === side);

  const show = (select, image, caption) => {
    const figure = here()[select.value];
    image.src = figure.image.src;
    image.alt = figure.image.alt;
    caption.replaceChildren(...[...figure.caption.childNodes].map((node) => node.cloneNode(true)));
    return figure.image;
  };
  const resize = () => {
    const { naturalWidth: width, naturalHeight: height } = under;
    if (!width) return;
    const times = Number(size.value);
    pair.style.aspectRatio = `${width} / ${height}`;
    const fit = `calc(min(78vh, 900px) * ${width / height})`;
    viewer.style.width = times ? `${width * times / devicePixelRatio + 2}px` : fit; // with the stage's border
    pair.style.width = times ? `${width * times / devicePixelRatio}px` : `min(100%, ${fit})`;
    stage.classList.toggle("sharp", times > 1);
  };
  const draw = () => {
    show(left, over, one(".captions .left"));
    show(right, under, one(".captions .right"));
    resize();
  };
  const chooseFrame = () => {
    const options = here().map((figure, index) => [String(index), figure.text]);
    const find = (side, other) => {
      const at = (name) => here().findIndex((figure) => figure.name === name);
      const found = [wanted[side], first(side)?.name].map((name) => at(name)).find((index) => index >= 0);
      return String(found ?? other);
    };
    fill(left, options, find("left", 0));
    fill(right, options, find("right", options.length - 1));
    draw();
  };
  const chooseClip = () => {
    const frames = [...new Set(current().map((figure) => figure.frame))];
    fill(frame, frames.map((index) => [index, index]), first("left")?.frame ?? frames[0]);
    chooseFrame();
  };
  const move = () => pair.style.setProperty("--cut", `${range.value}%`);

  fill(clip, clips.map((each, index) => [String(index), each.name]), "0");
  clip.addEventListener("change", chooseClip);
  frame.addEventListener("change", chooseFrame);
  for (const [side, select] of [["left", left], ["right", right]]) {
    select.addEventListener("change", () => { wanted[side] = here()[select.value].name; draw(); });
  }
  size.addEventListener("change", resize);
  addEventListener("resize", resize);
  under.addEventListener("load", resize);
  range.addEventListener("input", move);
  one(".live").hidden = false;
  chooseClip();
  move();
})();

/** A Vue application with the custom element. */
import type { LunaPassError, Verdict } from "open-lunapass";
import "open-lunapass/element";
import type { FaceLiveness } from "open-lunapass/element";
import { createApp, h } from "vue";
import { app, recorded, startToken, url } from "./record";

recorded.mountAgain = () => {
  for (let times = 0; times < 2; times++) app.append(app.firstElementChild!);
};

createApp({
  render: () =>
    h("face-liveness", {
      url,
      "start-token": startToken,
      lang: "en",
      onHint: ({ detail }: CustomEvent<{ name: string }>) => recorded.hints.push(detail.name),
      onResult: ({ detail }: CustomEvent<Verdict>) => (recorded.verdict = detail),
      onError: ({ detail }: CustomEvent<LunaPassError>) => (recorded.error = detail.code),
    }),
}).mount(app);

/** For the compiler only: the element's types. */
export const restart = (element: FaceLiveness) => element.restart();

/** A page without a framework. */
import { LPMessageRenderer, LunaPass, LunaPassError } from "open-lunapass";
import type { FrameStatus, Options, RendererOptions, Verdict } from "open-lunapass";
import "open-lunapass/lunapass.css";
import { app, recorded, startToken, url } from "./record";

const options: Options = { mode: "selfie", requestInterval: 200, startToken };
const looks: RendererOptions = { adviceAfter: 0, onHint: (name) => recorded.hints.push(name) };

async function check(element: HTMLElement): Promise<Verdict> {
  const pass = new LunaPass(element, options);
  const renderer = new LPMessageRenderer(looks);
  try {
    await pass.attachCamera();
    await renderer.init(element);
    await pass.connectWS(url);
    return await pass.checkLiveness((status: FrameStatus) => renderer.render(status));
  } catch (error) {
    if (error instanceof LunaPassError) recorded.error = `${error.code} ${error.detail}`;
    throw error;
  } finally {
    await pass.detachCamera();
    await pass.disconnectWS();
    renderer.destroy();
  }
}

app.style.height = "480px";
recorded.verdict = await check(app);

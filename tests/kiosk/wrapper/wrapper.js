// As public wrappers of the original library do: nothing but what its manual names.
const options = {
  requestInterval: 100,
  video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
  image: { mimetype: "image/jpeg", quality: 0.95 },
  mode: "selfie",
  headers: { heartbeatInterval: 5000 },
  debug: false,
};
window.seen = [];
window.run = async (url, more) => {
  const root = document.getElementById("root");
  const lunaPass = new LunaPass(root, { ...options, ...more });
  const renderer = new LPMessageRenderer({
    text: true,
    graphics: true,
    errorMessages: { 32: "Go on", 8: "No face" },
  });
  await lunaPass.connectWS(url);
  await lunaPass.attachCamera();
  await renderer.init(document.getElementById("vllunapass-wrapper"));
  window.videos = document.querySelectorAll("#vllunapass-wrapper video").length;
  try {
    return await lunaPass.checkLiveness((frameStatus) => {
      window.seen.push(frameStatus);
      renderer.render(frameStatus);
    });
  } finally {
    await lunaPass.detachCamera();
    await lunaPass.disconnectWS();
    renderer.destroy();
  }
};

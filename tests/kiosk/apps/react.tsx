/** An application in React's strict mode, which mounts each component twice. */
import { FaceLiveness, useFaceLiveness } from "open-lunapass/react";
import type { CheckProps } from "open-lunapass/react";
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { app, recorded, startToken, url } from "./record";

function App() {
  const [key, setKey] = useState(0);
  const [hint, setHint] = useState("");
  recorded.mountAgain = () => setKey(key + 1);
  return (
    <>
      <FaceLiveness
        key={key}
        url={url}
        startToken={async () => startToken}
        onHint={({ name }) => {
          recorded.hints.push(name);
          setHint(name);
        }}
        onResult={(verdict) => (recorded.verdict = verdict)}
        onError={(error) => (recorded.error = String(error))}
      />
      <p>{hint}</p>
    </>
  );
}

/** For the compiler only: the hook's types. */
export function Own(props: CheckProps) {
  const { ref, restart, hint, verdict } = useFaceLiveness({
    ...props,
    options: { mode: "operator" },
  });
  return <div ref={ref} onClick={restart} title={hint?.words} hidden={verdict?.isOk} />;
}

createRoot(app).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

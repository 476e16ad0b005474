declare module "*.css";
declare module "react-dom/client" {
  export function createRoot(element: Element): { render(content: unknown): void };
}

/** One build for all three; React's strict mode needs React's development version. */
export default {
  mode: "development",
  define: {
    __VUE_OPTIONS_API__: "false",
    __VUE_PROD_DEVTOOLS__: "false",
    __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  },
  build: {
    minify: false,
    target: "es2022",
    rollupOptions: { input: ["plain.html", "react.html", "vue.html"] },
  },
};

// The API's reference, of which each call can be tried. A key is kept in this page alone: it is gone with the tab.
"use strict";
addEventListener("DOMContentLoaded", () => {
  const csrf = document.querySelector('meta[name="csrf"]');
  SwaggerUIBundle({
    url: "/openapi.json",
    dom_id: "#reference",
    deepLinking: true,
    docExpansion: "list",
    defaultModelsExpandDepth: -1,
    filter: true,
    persistAuthorization: false,
    validatorUrl: null,
    // A session changes something only with the token of its page; a key needs none, and goes without the session.
    requestInterceptor: (request) => {
      if (request.headers.Authorization) request.credentials = "omit";
      else if (csrf && request.method !== "GET") request.headers["X-CSRF-Token"] = csrf.content;
      return request;
    },
  });
});

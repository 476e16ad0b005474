// Begin a check and verify its verdict in Go with the standard library.
//
// START_KEY=... VERDICT_KEY=... PORT=3000 go run server.go verify.go
package main

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"os"
	"reflect"
	"sync"
	"time"
)

const (
	audience      = "lunapass"
	startTime     = 2 * time.Minute
	finishTime    = 10 * time.Minute
	headerTime    = 10 * time.Second
	maxTokenBytes = 1 << 20
)

// check is a check that has begun: what its verdict must have.
type check struct {
	bound Bound
	until time.Time
}

// server keeps logins and checks in memory; use your database instead.
type server struct {
	startKey []byte
	verdicts *Verifier

	mutex  sync.Mutex
	logins map[string]string // cookie -> person
	checks map[string]check  // person -> check
}

func random() string {
	bytes := make([]byte, 16)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return base64.RawURLEncoding.EncodeToString(bytes)
}

// start returns a start token; it replaces an earlier one of this person.
func (s *server) start(person, kiosk string) (string, error) {
	now := time.Now()
	bound := Bound{Aud: audience, Sub: person, Nonce: random(), Kiosk: kiosk}
	claims, err := json.Marshal(map[string]any{
		"aud": bound.Aud, "sub": bound.Sub, "nonce": bound.Nonce, "kiosk": bound.Kiosk,
		"iat": now.Unix(), "exp": now.Add(startTime).Unix(), "jti": random(),
	})
	if err != nil {
		return "", err
	}
	s.mutex.Lock()
	s.checks[person] = check{bound, now.Add(finishTime)}
	s.mutex.Unlock()
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + encode(claims)
	mac := hmac.New(sha256.New, s.startKey)
	mac.Write([]byte(signed))
	return signed + "." + encode(mac.Sum(nil)), nil
}

// finish returns the claims of this person's verdict, and ends the check, also where it fails.
func (s *server) finish(person, token string) (*Claims, error) {
	s.mutex.Lock()
	begun, found := s.checks[person]
	delete(s.checks, person)
	s.mutex.Unlock()
	if !found || time.Now().After(begun.until) {
		return nil, errors.New("no check of this person is under way")
	}
	claims, err := s.verdicts.Verify(token)
	if err != nil {
		return nil, err
	}
	if !reflect.DeepEqual(claims.Bound, begun.bound) {
		return nil, errors.New("the verdict is for another aud, sub, nonce or kiosk")
	}
	return claims, nil
}

// loggedIn finds who is logged in; never take the person from the request.
func (s *server) loggedIn(serve func(http.ResponseWriter, *http.Request, string)) http.HandlerFunc {
	return func(response http.ResponseWriter, request *http.Request) {
		cookie, err := request.Cookie("login")
		if err == nil {
			s.mutex.Lock()
			person, found := s.logins[cookie.Value]
			s.mutex.Unlock()
			if found && request.Method == http.MethodPost {
				serve(response, request, person)
				return
			}
		}
		response.WriteHeader(http.StatusUnauthorized)
	}
}

// login believes any name: replace it by your own login.
func (s *server) login(response http.ResponseWriter, request *http.Request) {
	cookie := random()
	s.mutex.Lock()
	s.logins[cookie] = request.URL.Query().Get("person")
	s.mutex.Unlock()
	http.SetCookie(response, &http.Cookie{
		Name: "login", Value: cookie, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
}

// begin gives the page a start token; call start yourself for a kiosk without a login.
func (s *server) begin(response http.ResponseWriter, _ *http.Request, person string) {
	token, err := s.start(person, "web")
	if err != nil {
		response.WriteHeader(http.StatusInternalServerError)
		return
	}
	io.WriteString(response, token)
}

// verdict takes the verdict's token, some 250 kB, from the page.
func (s *server) verdict(response http.ResponseWriter, request *http.Request, person string) {
	body, err := io.ReadAll(http.MaxBytesReader(response, request.Body, maxTokenBytes))
	if err != nil {
		response.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	claims, err := s.finish(person, string(body))
	if err != nil {
		response.WriteHeader(http.StatusForbidden)
		return
	}
	json.NewEncoder(response).Encode(map[string]string{"person": claims.Sub})
}

func main() {
	startKey, verdictKey := os.Getenv("START_KEY"), os.Getenv("VERDICT_KEY")
	for _, secret := range []string{startKey, verdictKey} {
		if err := requireSecret(secret); err != nil {
			log.Fatal(err)
		}
	}
	verdicts := &Verifier{Algorithm: "HS256", Check: sharedSecret(verdictKey)}
	s := &server{
		startKey: []byte(startKey),
		verdicts: verdicts,
		logins:   map[string]string{},
		checks:   map[string]check{},
	}
	http.HandleFunc("/login", s.login)
	http.HandleFunc("/start", s.loggedIn(s.begin))
	http.HandleFunc("/verdict", s.loggedIn(s.verdict))
	listener := &http.Server{Addr: "127.0.0.1:" + os.Getenv("PORT"), ReadHeaderTimeout: headerTime}
	log.Fatal(listener.ListenAndServe())
}

// Verify a token in Go with the standard library (HS256 and EdDSA).
//
// With verify_main.go it is a program: go run verify.go verify_main.go, then
//
//	TOKEN SECRET          shared secret (HS256)
//	TOKEN --jwks URL      public key of the service (EdDSA)
//	... --policy FILE     JSON of the policy that you require
//	... --expect FILE     JSON of aud, sub, nonce and kiosk of your start token
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"reflect"
	"strings"
	"sync"
	"time"
)

const (
	issuer         = "lunapass"
	fetchTimeout   = 10 * time.Second
	maxKeyBytes    = 1 << 20
	minSecretBytes = 32 // the service requires as many
)

// Claims are the claims of a token.
type Claims struct {
	IsOk     bool    `json:"isOk"`
	Bestshot string  `json:"bestshot"` // JPEG, Base64
	Details  Details `json:"details"`
	Iss      string  `json:"iss"`
	Exp      int64   `json:"exp"`
	Jti      string  `json:"jti"`
	Sid      string  `json:"sid"` // compare it with the session that your kiosk started
	Policy   Policy  `json:"policy"`
	Bound
}

// Bound is what the session's start token bound the verdict to; empty where it did not.
type Bound struct {
	Aud   any    `json:"aud"`
	Sub   string `json:"sub"`
	Nonce string `json:"nonce"`
	Kiosk string `json:"kiosk"`
}

// Details are measurements of the best shot; there are more than these.
type Details struct {
	FaceFramePosition struct{ FaceRect, FrameRect Rect }
}

// Rect is a rectangle in pixels of the judged frame.
type Rect struct{ X, Y, Width, Height float64 }

// Judged identifies what judged frames: digest, rules and models.
type Judged struct{ Digest, Rules, Models string }

// Policy states what judged the session.
type Policy struct {
	Judged
	Others  []Judged // what judged other frames of the session, for example before a reload
	Plugins []struct {
		Name string
		Args map[string]any
	}
	Limits map[string]any
}

// Range is [minimum, maximum]; switches are 0 and 1.
type Range []float64

// Required is the policy that you require; omitted parts are not checked.
type Required struct {
	Digest, Rules, Models []string // allowed values
	Plugins               map[string]map[string]Range
	Limits                map[string]Range
}

type header struct {
	Alg string `json:"alg"`
	Kid string `json:"kid"`
}

// Verifier checks tokens of one algorithm and accepts each of them once.
type Verifier struct {
	Algorithm string
	Check     func(kid string, data, signature []byte) bool

	mutex sync.Mutex
	seen  map[string]int64 // jti -> exp; with several processes, store this in your database
}

// Verify returns the claims of a valid token, an error for any other.
func (v *Verifier) Verify(token string) (*Claims, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("this is no token")
	}
	var head header
	var claims Claims
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || decode(parts[0], &head) != nil {
		return nil, errors.New("this is no token")
	}
	if head.Alg != v.Algorithm { // a token may claim any, even "none"
		return nil, errors.New("another algorithm")
	}
	if !v.Check(head.Kid, []byte(parts[0]+"."+parts[1]), signature) {
		return nil, errors.New("the signature is wrong")
	}
	if err := decode(parts[1], &claims); err != nil {
		return nil, err
	}
	switch now := time.Now().Unix(); {
	case claims.Iss != issuer:
		return nil, errors.New("another issuer")
	case claims.Exp <= now:
		return nil, errors.New("the token is too old")
	case !claims.IsOk:
		return nil, errors.New("the verdict is not positive")
	case claims.Jti == "" || claims.Sid == "":
		return nil, errors.New("jti or sid is empty")
	case !v.takeOnce(claims.Jti, claims.Exp, now):
		return nil, errors.New("the token was used before")
	}
	return &claims, nil
}

// JudgedFace returns left, top, right and bottom of the judged face, as fractions of the best shot's
// width and height. Compare only this face with other images: the best shot may show a second,
// larger one.
func (c *Claims) JudgedFace() ([4]float64, error) {
	face, frame := c.Details.FaceFramePosition.FaceRect, c.Details.FaceFramePosition.FrameRect
	if math.Min(frame.Width, frame.Height) <= 0 || math.Min(face.Width, face.Height) <= 0 {
		return [4]float64{}, errors.New("the token does not say which face was judged")
	}
	edges := [4]float64{
		face.X / frame.Width,
		face.Y / frame.Height,
		(face.X + face.Width) / frame.Width,
		(face.Y + face.Height) / frame.Height,
	}
	for i, edge := range edges {
		edges[i] = math.Min(math.Max(edge, 0), 1) // the box may exceed the image
	}
	return edges, nil
}

// Check returns an error if another policy than the required one judged the session.
func (r *Required) Check(policy *Policy) error {
	for _, judged := range append(policy.Others, policy.Judged) { // all of them must be allowed
		switch {
		case r.Digest != nil && !contains(r.Digest, judged.Digest):
			return errors.New("another policy: digest")
		case r.Rules != nil && !contains(r.Rules, judged.Rules):
			return errors.New("another policy: rules")
		case r.Models != nil && !contains(r.Models, judged.Models):
			return errors.New("another policy: models")
		}
	}
	plugins := map[string]map[string]any{}
	for _, plugin := range policy.Plugins {
		plugins[plugin.Name] = plugin.Args
	}
	for name, ranges := range r.Plugins {
		args, on := plugins[name]
		if !on {
			return fmt.Errorf("another policy: %s was off", name)
		}
		if err := checkRanges(name, args, ranges); err != nil {
			return err
		}
	}
	return checkRanges("limits", policy.Limits, r.Limits)
}

func checkRanges(name string, values map[string]any, ranges map[string]Range) error {
	for key, span := range ranges {
		value, isNumber := values[key].(float64)
		if on, isSwitch := values[key].(bool); isSwitch {
			isNumber = true
			if on {
				value = 1
			}
		}
		if len(span) != 2 {
			return fmt.Errorf("the policy that you require has no range for %s %s", name, key)
		}
		if !isNumber || value < span[0] || value > span[1] {
			return fmt.Errorf("another policy: %s %s", name, key)
		}
	}
	return nil
}

func contains(allowed []string, text string) bool {
	for _, one := range allowed {
		if one == text {
			return true
		}
	}
	return false
}

func (v *Verifier) takeOnce(jti string, exp, now int64) bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.seen == nil {
		v.seen = map[string]int64{}
	}
	for old, end := range v.seen {
		if end < now {
			delete(v.seen, old)
		}
	}
	if _, used := v.seen[jti]; used {
		return false
	}
	v.seen[jti] = exp
	return true
}

func decode(part string, into any) error {
	data, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, into)
}

// requireSecret returns an error for a short or empty shared secret, which anyone can guess.
func requireSecret(secret string) error {
	if len(secret) < minSecretBytes {
		return fmt.Errorf("a shared secret must have at least %d bytes", minSecretBytes)
	}
	return nil
}

func sharedSecret(secret string) func(string, []byte, []byte) bool {
	return func(_ string, data, signature []byte) bool {
		if requireSecret(secret) != nil {
			return false
		}
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write(data)
		return hmac.Equal(mac.Sum(nil), signature)
	}
}

func publicKeys(url string) func(string, []byte, []byte) bool {
	return func(kid string, data, signature []byte) bool {
		answer, err := (&http.Client{Timeout: fetchTimeout}).Get(url)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		var set struct {
			Keys []struct{ Kid, Crv, X string }
		}
		body := json.NewDecoder(io.LimitReader(answer.Body, maxKeyBytes))
		if answer.StatusCode != http.StatusOK || body.Decode(&set) != nil {
			return false
		}
		for _, key := range set.Keys {
			raw, err := base64.RawURLEncoding.DecodeString(key.X)
			isKey := err == nil && key.Crv == "Ed25519" && len(raw) == ed25519.PublicKeySize
			if isKey && (kid == "" || key.Kid == kid) && ed25519.Verify(raw, data, signature) {
				return true
			}
		}
		return false
	}
}

// takeOption takes an option and its value out of the words; found says whether it was there.
func takeOption(words []string, name string) (rest []string, value string, found bool, err error) {
	for i, word := range words {
		if word != name {
			continue
		}
		if i+1 == len(words) {
			return nil, "", false, fmt.Errorf("%s needs a value", name)
		}
		return append(append([]string{}, words[:i]...), words[i+2:]...), words[i+1], true, nil
	}
	return words, "", false, nil
}

// takeObject decodes the JSON file of an option; without the option nothing changes.
func takeObject(words []string, name string, into any) ([]string, error) {
	rest, path, found, err := takeOption(words, name)
	if err != nil || !found {
		return rest, err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var whole any
	if err := json.Unmarshal(text, &whole); err != nil {
		return nil, err
	}
	if hasNull(whole) { // Go would take it for a part that is omitted
		return nil, fmt.Errorf("%s has a null", path)
	}
	reader := json.NewDecoder(bytes.NewReader(text))
	reader.DisallowUnknownFields() // a misspelt key would skip its check
	return rest, reader.Decode(into)
}

func hasNull(value any) bool {
	switch value := value.(type) {
	case nil:
		return true
	case []any:
		for _, item := range value {
			if hasNull(item) {
				return true
			}
		}
	case map[string]any:
		for _, item := range value {
			if hasNull(item) {
				return true
			}
		}
	}
	return false
}

// run verifies the token that the command line names; it returns an error for any other.
func run(words []string) error {
	var required Required
	var expected Bound
	words, err := takeObject(words, "--policy", &required)
	if err == nil {
		words, err = takeObject(words, "--expect", &expected)
	}
	var url string
	isPublic := false
	if err == nil {
		words, url, isPublic, err = takeOption(words, "--jwks")
	}
	if err != nil {
		return err
	}
	usage := errors.New("usage: TOKEN SECRET or TOKEN --jwks URL, then --policy, --expect FILE")
	for _, word := range words { // a misspelt option would skip its check
		if word == "" || strings.HasPrefix(word, "--") {
			return usage
		}
	}
	verifier := &Verifier{}
	switch {
	case isPublic && len(words) == 1:
		verifier.Algorithm, verifier.Check = "EdDSA", publicKeys(url)
	case !isPublic && len(words) == 2:
		if err := requireSecret(words[1]); err != nil {
			return err
		}
		verifier.Algorithm, verifier.Check = "HS256", sharedSecret(words[1])
	default:
		return usage
	}
	claims, err := verifier.Verify(words[0])
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(claims.Bound, expected) {
		return errors.New("the token is for another aud, sub, nonce or kiosk")
	}
	if err := required.Check(&claims.Policy); err != nil {
		return err
	}
	face, err := claims.JudgedFace()
	if err != nil {
		return err
	}
	fmt.Printf("accepted, session %s, face at %.4f, %.4f, %.4f, %.4f\n",
		claims.Sid, face[0], face[1], face[2], face[3])
	return nil
}

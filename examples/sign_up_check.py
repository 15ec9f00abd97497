"""Who may sign up: addresses of the company at once, throw-away ones never, everybody else after confirming.

eventmap event cognito --trigger PreSignUp_SignUp | eventmap invoke examples.sign_up_check:handler -
eventmap serve check=examples.sign_up_check:handler --port 9001     # for a user pool of cognito-local
"""

COMPANY = "example.com"
REFUSED = {"mailinator.com", "10minutemail.com", "guerrillamail.com"}


def handler(event, context):
    """A PreSignUp trigger: what it raises is what the person sees, behind Cognito's own words."""
    address = event["request"]["userAttributes"].get("email", "")
    domain = address.rpartition("@")[2].strip().lower()
    if not domain:
        raise ValueError("an e-mail address is needed")
    if domain in REFUSED or any(domain.endswith(f".{refused}") for refused in REFUSED):
        raise ValueError(f"addresses at {domain} are not accepted")
    if event["triggerSource"] == "PreSignUp_SignUp" and domain == COMPANY:
        event["response"]["autoConfirmUser"] = True
        event["response"]["autoVerifyEmail"] = True
    return event
